/** Files in JSON, with comments if one likes, that people write. What is wrong with one is named by its line. */
import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import type * as z from 'zod';
import { Problem, shortly } from '../../base/problem.ts';
import { WRITTEN_WORLD, type WrittenWorld } from './world-schema.ts';

const MOST_BYTES = 1 << 20;

/** A file somebody wrote, understood. */
export interface WrittenFile<T> {
  readonly value: T;
  /** A Problem about what stands at a place in it: keys from the outermost on. */
  problemAt(path: readonly (string | number)[], what: string): Problem;
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
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined || tree === undefined) {
    const what = error === undefined ? 'EndOfFileExpected' : printParseErrorCode(error.error);
    throw wrong(error?.offset ?? 0, spaced(what));
  }
  const parsed = schema.safeParse(getNodeValue(tree));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw wrong(offsetOf(tree, issue), said(issue));
  }
  return { value: parsed.data, problemAt: (path, what) => wrong(offsetAt(tree, path, []), what) };
}

function textOf(use: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Problem(`${use}: it is not text in UTF-8.`);
  }
}

/** `InvalidSymbol`: invalid symbol. */
const spaced = (code: string): string => code.replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

type Issue = z.core.$ZodIssue;

/** Where what is wrong stands: of a key nobody knows the key itself, of a key that is missing what it is missing in. */
function offsetOf(tree: Node, issue: Issue): number {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  return offsetAt(tree, path, issue.code === 'unrecognized_keys' ? [issue.keys[0]!] : []);
}

/** Where a place in a file is, with `more` at its end where that is there; of what is missing, where it would be. */
function offsetAt(tree: Node, path: readonly (string | number)[], more: readonly string[]): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = findNodeAtLocation(tree, [...path.slice(0, length), ...(length === path.length ? more : [])]);
    if (node !== undefined) return node.parent?.type === 'property' ? node.parent.offset : node.offset;
  }
  return 0;
}

function said(issue: Issue): string {
  const place = issue.path.join('.');
  const what = issue.message.replace(/\.$/, '');
  return shortly(place === '' ? what : `${place}: ${what}`);
}
