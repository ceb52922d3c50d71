/** Files in JSON, with comments if one likes, or in YAML, that people write. What is wrong is named by its line. */
import type * as z from 'zod';
import { Problem, shortly } from '../../base/problem.ts';
import { type Place, understoodJson, understoodYaml } from './written-text.ts';
import { WRITTEN_WORLD, type WrittenWorld } from './world-schema.ts';

const MOST_BYTES = 1 << 20;

/** A file somebody wrote, understood. */
export interface WrittenFile<T> {
  readonly value: T;
  /** A Problem about what stands at a place in it: keys from the outermost on. */
  problemAt(path: Place, what: string): Problem;
}

/** Understand a world's file. `name`: what to call it. Throws a Problem that says in which line something is wrong. */
export const readWorld = (name: string, bytes: Uint8Array): WrittenWorld =>
  readWritten(name, 'a world', bytes, WRITTEN_WORLD).value;

/** Understand a file of a schema. `as`: what it is used as. Throws a Problem that names the line of what is wrong. */
export function readWritten<T>(name: string, as: string, bytes: Uint8Array, schema: z.ZodType<T>): WrittenFile<T> {
  const use = `Cannot use ${name} as ${as}`;
  if (bytes.length > MOST_BYTES) throw new Problem(`${use}: it has more than 1 MiB.`);
  const text = textOf(use, bytes);
  const wrong = (offset: number, what: string): Problem =>
    new Problem(`${use}: line ${text.slice(0, offset).split('\n').length}: ${what}.`);
  const understood = (isYaml(name) ? understoodYaml : understoodJson)(text);
  if ('wrong' in understood) throw wrong(understood.offset, understood.wrong);
  const parsed = schema.safeParse(understood.value);
  const at = (place: Place, more?: string): number => nearest(understood.offsetAt, place, more);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw wrong(at(placeOf(issue), issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined), said(issue));
  }
  return { value: parsed.data, problemAt: (place, what) => wrong(at(place), what) };
}

/** What its name says a file is in. Anything else is JSON. */
const isYaml = (name: string): boolean => /\.ya?ml$/i.test(name);

function textOf(use: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Problem(`${use}: it is not text in UTF-8.`);
  }
}

type Issue = z.core.$ZodIssue;

const placeOf = ({ path }: Issue): Place => path.map((part) => (typeof part === 'symbol' ? String(part) : part));

/** Where a place is, with `more` at its end where that is there; of what is missing, where it would be. */
function nearest(offsetAt: (place: Place) => number | undefined, place: Place, more: string | undefined): number {
  const whole = more === undefined ? place : [...place, more];
  for (let length = whole.length; length >= 0; length -= 1) {
    const offset = offsetAt(whole.slice(0, length));
    if (offset !== undefined) return offset;
  }
  return 0;
}

function said(issue: Issue): string {
  const place = issue.path.join('.');
  const what = issue.message.replace(/\.$/, '');
  return shortly(place === '' ? what : `${place}: ${what}`);
}
