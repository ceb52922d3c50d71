import { describe, expect, test } from 'vitest';
import { VOCABULARY } from '../../src/events/vocabulary.ts';
import { PRODUCT } from './sources.ts';

/** Who says what kinds there are, what they do to the state, and how they print: nobody raises anything there. */
const DESCRIBES = /^src\/(events\/(?!timers)|reducers\/)|\/evolve(\/|\.ts$)|^src\/debugger\//;

/** A kind in the place of one that is raised: `kind: 'sim:mmap'`, or a choice between two or more. */
const RAISED = /\bkind:([^,;{}]*)/g;

const raisedIn = (text: string): string[] =>
  [...text.matchAll(RAISED)].flatMap(([, kinds = '']) =>
    [...kinds.matchAll(/'([\w:]+)'/g)].map(([, kind = '']) => kind),
  );

describe('events', () => {
  const raised = new Set(PRODUCT.filter(({ path }) => !DESCRIBES.test(path)).flatMap(({ text }) => raisedIn(text)));

  test('of each kind are raised somewhere', () => {
    expect(Object.keys(VOCABULARY).filter((kind) => !raised.has(kind))).toEqual([]);
  });

  test('that nobody raises are found', () => {
    expect(raisedIn("switch (event.kind) { case 'kvm_exit': return event.kind === 'kvm_entry'; }")).toEqual([]);
    expect(raisedIn("raise({ kind: up ? 'sim:fd_open' : 'sim:mmap', fd })")).toEqual(['sim:fd_open', 'sim:mmap']);
  });
});
