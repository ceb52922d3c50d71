import { own } from '../../base/own.ts';
import { Problem } from '../../base/problem.ts';
import { refuse } from './source.ts';

/** An expression as it was read. `at`: where its first character stands. */
export type Tree = { readonly at: number } & (
  | { readonly is: 'number'; readonly value: bigint }
  | { readonly is: 'text'; readonly value: string }
  | { readonly is: 'register'; readonly name: string }
  | { readonly is: 'name'; readonly name: string }
  | { readonly is: 'memory'; readonly word: MemoryWord; readonly address: Tree }
  | { readonly is: 'prefix'; readonly operator: Prefix; readonly operand: Tree }
  | { readonly is: 'binary'; readonly operator: string; readonly left: Tree; readonly right: Tree }
);

export type Prefix = '-' | '+' | '~' | '!';

/** An unsigned little-endian word of memory. */
export interface MemoryWord {
  readonly size: number;
  readonly space: 'linear' | 'physical';
}

/** `10.0.2.15` and `52:54:00:12:34:56` are text, as fields of packets have them. */
const ADDRESSES = String.raw`\d{1,3}(?:\.\d{1,3}){3}(?![\w.])|[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?![\w:])`;
const ADDRESS = new RegExp(`^(?:${ADDRESSES})$`, 'i');
const WORDS = String.raw`0x[0-9a-f]+|\d+|"[^"]*"|'[^']*'|\$\w+|#[a-z]{2}|[a-z_.][\w.@]*`;
const OPERATORS = String.raw`<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>()[\]]`;
const TOKEN = new RegExp(`(${ADDRESSES}|${WORDS}|${OPERATORS})`, 'iy');
const DEEPEST = 64;
const LONGEST = 1000;

/** Binary operators by how tightly they bind, loosest first, as in C. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

const PREFIXES: readonly string[] = ['-', '+', '~', '!'];

const MEMORY: Readonly<Record<string, MemoryWord>> = {
  u8: { size: 1, space: 'linear' },
  u16: { size: 2, space: 'linear' },
  u32: { size: 4, space: 'linear' },
  u64: { size: 8, space: 'linear' },
  p8: { size: 1, space: 'physical' },
  p16: { size: 2, space: 'physical' },
  p32: { size: 4, space: 'physical' },
  p64: { size: 8, space: 'physical' },
};

interface Token {
  readonly text: string;
  readonly at: number;
}

interface Parser {
  readonly text: string;
  readonly tokens: readonly Token[];
  next: number;
  depth: number;
}

/** Read an expression. Throws a Problem that names the column of what cannot be read. */
export function readTree(text: string): Tree {
  if (text.length > LONGEST) throw new Problem(`An expression has at most ${LONGEST} characters.`);
  const parser: Parser = { text, tokens: tokensOf(text), next: 0, depth: 0 };
  if (parser.tokens.length === 0) throw new Problem('An expression is missing: a number, a name or $register.');
  const tree = binary(parser, 0);
  const rest = parser.tokens[parser.next];
  if (rest !== undefined) refuse({ text, at: rest.at }, `The expression cannot be read at \`${rest.text}\`.`);
  return tree;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(TOKEN);
  for (let at = skipped(text, 0); at < text.length; at = skipped(text, pattern.lastIndex)) {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) refuse({ text, at }, 'The expression cannot be read here.');
    tokens.push({ text: found, at });
  }
  return tokens;
}

function skipped(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at]!)) at += 1;
  return at;
}

function binary(parser: Parser, level: number): Tree {
  const operators = LEVELS[level];
  if (operators === undefined) return unary(parser);
  let left = binary(parser, level + 1);
  for (;;) {
    const token = parser.tokens[parser.next];
    if (token === undefined || !operators.includes(token.text)) return left;
    parser.next += 1;
    left = { is: 'binary', at: token.at, operator: token.text, left, right: binary(parser, level + 1) };
  }
}

function unary(parser: Parser): Tree {
  const { text } = parser;
  const token = parser.tokens[parser.next];
  if (token === undefined) refuse({ text, at: text.length }, 'The expression breaks off: a value is missing.');
  parser.depth += 1;
  if (parser.depth > DEEPEST) refuse({ text, at: token.at }, 'The expression is nested too deeply.');
  parser.next += 1;
  const isPrefix = PREFIXES.includes(token.text);
  const tree: Tree = isPrefix
    ? { is: 'prefix', at: token.at, operator: token.text as Prefix, operand: unary(parser) }
    : primary(parser, token);
  parser.depth -= 1;
  return tree;
}

function primary(parser: Parser, { text, at }: Token): Tree {
  if (ADDRESS.test(text)) return { is: 'text', at, value: text.toLowerCase() };
  if (/^\d/.test(text)) return { is: 'number', at, value: BigInt.asUintN(64, BigInt(text)) };
  if (/^["']/.test(text)) return { is: 'text', at, value: text.slice(1, -1) };
  if (text === '(') return closed(parser, at, ')');
  if (text.startsWith('$')) return { is: 'register', at, name: text.slice(1).toLowerCase() };
  if (!/^[a-z_.#]/i.test(text)) refuse({ text: parser.text, at }, `A value is missing before \`${text}\`.`);
  const word = parser.tokens[parser.next]?.text === '[' ? own(MEMORY, text) : undefined;
  if (word === undefined) return { is: 'name', at, name: text };
  const open = parser.tokens[parser.next++]!;
  return { is: 'memory', at, word, address: closed(parser, open.at, ']') };
}

function closed(parser: Parser, opened: number, end: string): Tree {
  const tree = binary(parser, 0);
  if (parser.tokens[parser.next]?.text !== end) {
    refuse({ text: parser.text, at: opened }, `What opens here lacks its \`${end}\`.`);
  }
  parser.next += 1;
  return tree;
}
