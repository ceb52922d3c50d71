/** A file in JSON, with comments if one likes, that says who is at the other end of a network. */
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

/** Understand a world's file. `name`: what to call it. Throws a Problem that says in which line something is wrong. */
export function readWorld(name: string, bytes: Uint8Array): WrittenWorld {
  if (bytes.length > MOST_BYTES) throw new Problem(`Cannot use ${name} as a world: it has more than 1 MiB.`);
  const text = textOf(name, bytes);
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined || tree === undefined) {
    const what = error === undefined ? 'EndOfFileExpected' : printParseErrorCode(error.error);
    throw wrong(name, text, error?.offset ?? 0, spaced(what));
  }
  const parsed = WRITTEN_WORLD.safeParse(getNodeValue(tree));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw wrong(name, text, offsetOf(tree, issue), said(issue));
}

function textOf(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Problem(`Cannot use ${name} as a world: it is not text in UTF-8.`);
  }
}

function wrong(name: string, text: string, offset: number, what: string): Problem {
  const line = text.slice(0, offset).split('\n').length;
  return new Problem(`Cannot use ${name} as a world: line ${line}: ${what}.`);
}

/** `InvalidSymbol`: invalid symbol. */
const spaced = (code: string): string => code.replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

type Issue = z.core.$ZodIssue;

/** Where what is wrong stands: of a key nobody knows the key itself, of a key that is missing what it is missing in. */
function offsetOf(tree: Node, issue: Issue): number {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const more = issue.code === 'unrecognized_keys' ? [issue.keys[0]!] : [];
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
