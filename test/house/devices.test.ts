import { describe, expect, test } from 'vitest';
import type { EventKind } from '../../src/events/vocabulary.ts';
import { REDUCERS } from '../../src/reducers/table/index.ts';
import { findings, PRODUCT, type SourceFile } from './sources.ts';

/** A device's folder. */
const folderOf = (path: string): string | undefined => /^src\/devices\/([a-z0-9-]+)\//.exec(path)?.[1];

const DEVICES = PRODUCT.filter(({ path }) => folderOf(path) !== undefined);

const RAISES = /\beffects\s*\.raise\(\s*\{\s*kind:([^;{}]*)/g;

/** The kinds a device puts on record by itself. */
const raisedIn = (text: string): string[] =>
  [...text.matchAll(RAISES)].flatMap(([, kinds = '']) =>
    [...(kinds.split(',')[0] ?? '').matchAll(/'([\w:]+)'/g)].map(([, kind = '']) => kind),
  );

/** Where a device's reducers are: a small one has all in its index. */
const EVOLVES = /\/(evolve|index)\.ts$/;

/** Devices that end the run. */
const ENDS: Readonly<Record<string, readonly string[]>> = {
  'sim:exit_requested': ['debug-exit'],
  'sim:powered_off': ['piix4-pm'],
  'sim:guest_panicked': ['edu'],
};

/** Whose fact it is is who evolves by it. What changes nobody, anybody may tell. */
function isOwn(kind: string, folder: string, files: readonly SourceFile[]): boolean {
  if (ENDS[kind] !== undefined) return ENDS[kind].includes(folder);
  const row = REDUCERS[kind as EventKind] as { readonly owners: readonly string[] } | undefined;
  if (row === undefined) return false;
  if (row.owners.length === 0) return true;
  const reduces = new RegExp(`^ +(?:'${kind}'|${kind})(?:\\(|: )`, 'm');
  const evolves = files
    .filter(({ path, text }) => EVOLVES.test(path) && reduces.test(text))
    .map(({ path }) => folderOf(path));
  return row.owners.join() === 'devices' && evolves.includes(folder);
}

const foreign = (files: readonly SourceFile[]): string[] =>
  files.flatMap(({ path, text }) =>
    raisedIn(text)
      .filter((kind) => !isOwn(kind, folderOf(path) as string, files))
      .map((kind) => `${path} raises ${kind}`),
  );

const code = (line: string): string => (/^\s*(\/\/|\*|\/\*)/.test(line) ? '' : line.replaceAll(/'[^']*'/g, "''"));

const offence = (pattern: RegExp, what: string) => (line: string) => (pattern.test(code(line)) ? what : undefined);

/** Its time is `effects.now`, that of the call. */
const asks = offence(
  /\bnow\(|\bDate\b|\bperformance\b|\bhrtime\b|\bhostTsc\b|\bset(Timeout|Interval)\b/,
  'asks a clock',
);

/** An assignment to a field or an element, by whatever operator, with what it belongs to. */
const ASSIGNMENT =
  /\b(\w+)\b[^,;]*?(?:\.\w+|\[[^\]]*\])!?\s*(?:\+\+|--|(?:[-+*|&^%]|\*\*|<<|>>>?|\?\?|&&|\|\|)?=(?![=>]))/;
const ALIKE = /(\+\+|--)\w+[.[]|\bdelete \w|\bObject\.(assign|defineProperty)\(|\bReflect\./;
/** What a declaration says of a type, or a parameter of what it is if it is left out. */
const DECLARED = /^\s*(export )?(const|let) (\w+:[^=]*|\[[^\]]*\] )=/;

function assigns(line: string, isMade: (name: string) => boolean = () => false): string | undefined {
  const what = code(line).replace(DECLARED, '');
  if (ALIKE.test(what)) return 'assigns';
  const [found, owner = ''] = ASSIGNMENT.exec(what) ?? [];
  return found === undefined || isMade(owner) ? undefined : 'assigns';
}

/** Assignments in a file, but to what it has made itself. */
const assignedIn = (file: SourceFile): string[] =>
  findings([file], (line) => assigns(line, (name) => new RegExp(`const ${name} = new \\w*Array`).test(file.text)));

/** Files of devices that only decide: who evolves has drafts, `state.ts` makes the first one. */
const DECIDES = DEVICES.filter(
  ({ path, text }) => !/\/(evolve|state)\.ts$/.test(path) && !/\bDraft\b|\bDeviceReducer</.test(text),
);

describe('a device that decides', () => {
  test('raises facts of its own alone', () => {
    expect(DEVICES.flatMap(({ text }) => raisedIn(text)).length).toBeGreaterThan(12);
    expect(foreign(DEVICES)).toEqual([]);
  });

  test('asks no clock', () => {
    expect(findings(DEVICES, asks)).toEqual([]);
  });

  test('assigns nothing but its own variables', () => {
    expect(DECIDES.length).toBeGreaterThan(20);
    expect(DECIDES.map(({ path }) => path)).toContain('src/devices/uart16550/decide.ts');
    expect(DECIDES.flatMap(assignedIn)).toEqual([]);
  });

  test('that does otherwise is found', () => {
    const planted = (body: string): SourceFile[] => [...DEVICES, { path: 'src/devices/planted/decide.ts', text: body }];
    for (const kind of [
      'sim:rtc_set',
      'sim:irq_line',
      'sim:timer_fire',
      'kvm_set_irq',
      'sim:exit_requested',
      'sim:no',
    ]) {
      expect(foreign(planted(`  effects.raise({ kind: '${kind}', level: 1 });`))).toEqual([
        `src/devices/planted/decide.ts raises ${kind}`,
      ]);
    }
    expect(foreign(planted("effects.raise({ kind: up ? 'sim:rtc_uip' : 'sim:dma', byte });"))).toEqual([
      'src/devices/planted/decide.ts raises sim:rtc_uip',
    ]);
    for (const line of ['const at = host.now();', 'return Date.now();', 'setTimeout(go, 1);', 'machine.hostTsc()']) {
      expect(asks(line)).toBe('asks a clock');
    }
    expect(asks('  effects.arm(UPDATE, effects.now + 5);')).toBeUndefined();
    for (const line of [
      'uart.ier = value;',
      '  timer.count += 1;',
      'dev.counts[at]! -= 1;',
      'dev.counts[at] ??= 1;',
      'state.reads++;',
      '--state.reads;',
      'delete uart.waiting;',
      'Object.assign(rtc, { phase });',
      'if (up) (uart as Open).lsr |= 1;',
    ]) {
      expect([line, assigns(line)]).toEqual([line, 'assigns']);
    }
    for (const line of [
      'const ier = uart.ier;',
      'if (uart.ier === 1) go();',
      'x = uart.ier <= 1;',
      '(a) => b.c',
      "'a.b = c'",
    ])
      expect([line, assigns(line)]).toEqual([line, undefined]);
  });
});
