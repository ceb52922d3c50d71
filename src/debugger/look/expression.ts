import { Problem } from '../../base/problem.ts';

/** What a name in an expression means where somebody stands. */
export interface Scope {
  register(name: string): bigint;
  /** A field of the event at hand, or a symbol's address. */
  named(name: string): bigint | string;
  /** An unsigned little-endian word of memory. */
  memory(address: bigint, size: number, space: 'linear' | 'physical'): bigint;
}

/** A parsed expression: it looks at a scope and changes nothing. */
export interface Expression {
  readonly text: string;
  /** Names without `$` in it: symbols or fields. */
  readonly names: readonly string[];
  /** Registers or memory are looked at: it means something else at every place of the run. */
  readonly looks: boolean;
  value(scope: Scope): bigint | string;
}

type Value = (scope: Scope) => bigint | string;

const TOKEN =
  /\s*(0x[0-9a-f]+|\d+|"[^"]*"|'[^']*'|\$\w+|[a-z_.][\w.@]*|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>()[\]])/iy;
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

const bit = (is: boolean): bigint => (is ? 1n : 0n);

/** Arithmetic of unsigned 64-bit numbers. */
const OPERATORS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '&': (a, b) => a & b,
  '<': (a, b) => bit(a < b),
  '<=': (a, b) => bit(a <= b),
  '>': (a, b) => bit(a > b),
  '>=': (a, b) => bit(a >= b),
  '<<': (a, b) => (b > 63n ? 0n : BigInt.asUintN(64, a << b)),
  '>>': (a, b) => (b > 63n ? 0n : a >> b),
  '+': (a, b) => BigInt.asUintN(64, a + b),
  '-': (a, b) => BigInt.asUintN(64, a - b),
  '*': (a, b) => BigInt.asUintN(64, a * b),
  '/': (a, b) => (b === 0n ? refuse('It divides by zero.') : a / b),
  '%': (a, b) => (b === 0n ? refuse('It divides by zero.') : a % b),
};

const MEMORY: Readonly<Record<string, { readonly size: number; readonly space: 'linear' | 'physical' }>> = {
  u8: { size: 1, space: 'linear' },
  u16: { size: 2, space: 'linear' },
  u32: { size: 4, space: 'linear' },
  u64: { size: 8, space: 'linear' },
  p8: { size: 1, space: 'physical' },
  p16: { size: 2, space: 'physical' },
  p32: { size: 4, space: 'physical' },
  p64: { size: 8, space: 'physical' },
};

function refuse(sentence: string): never {
  throw new Problem(sentence);
}

interface Parser {
  readonly text: string;
  readonly tokens: readonly string[];
  readonly names: Set<string>;
  at: number;
  depth: number;
  looks: boolean;
}

/**
 * Read an expression: C's operators over unsigned 64-bit numbers, `$rax`, symbols, event fields, `u32[ADDR]` for
 * linear and `p32[ADDR]` for guest-physical memory. `==` and `!=` compare text, too.
 */
export function parseExpression(text: string): Expression {
  if (text.length > LONGEST) throw new Problem(`An expression has at most ${LONGEST} characters.`);
  const parser: Parser = { text, tokens: tokensOf(text), names: new Set(), at: 0, depth: 0, looks: false };
  if (parser.tokens.length === 0) throw new Problem('An expression is missing: a number, a symbol or $register.');
  const value = binary(parser, 0);
  const rest = parser.tokens[parser.at];
  if (rest !== undefined) throw new Problem(`\`${text}\` cannot be read at \`${rest}\`.`);
  return { text: text.trim(), names: [...parser.names], looks: parser.looks, value };
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  const pattern = new RegExp(TOKEN);
  while (pattern.lastIndex < text.trimEnd().length) {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw new Problem(`\`${text}\` cannot be read at \`${text.slice(from).trim()}\`.`);
    tokens.push(match[1] as string);
  }
  return tokens;
}

function binary(parser: Parser, level: number): Value {
  const operators = LEVELS[level];
  if (operators === undefined) return unary(parser);
  let left = binary(parser, level + 1);
  for (;;) {
    const operator = parser.tokens[parser.at];
    if (operator === undefined || !operators.includes(operator)) return left;
    parser.at += 1;
    left = joined(operator, left, binary(parser, level + 1));
  }
}

function joined(operator: string, left: Value, right: Value): Value {
  if (operator === '||') return (scope) => bit(isTrue(left(scope)) || isTrue(right(scope)));
  if (operator === '&&') return (scope) => bit(isTrue(left(scope)) && isTrue(right(scope)));
  if (operator === '==') return (scope) => bit(left(scope) === right(scope));
  if (operator === '!=') return (scope) => bit(left(scope) !== right(scope));
  const act = OPERATORS[operator] as (a: bigint, b: bigint) => bigint;
  return (scope) => act(numberOf(left(scope)), numberOf(right(scope)));
}

/** Whether a value counts as true: not 0, not empty. */
export const isTrue = (value: bigint | string): boolean => value !== 0n && value !== '';

const numberOf = (value: bigint | string): bigint =>
  typeof value === 'bigint' ? value : refuse(`'${value}' is text and no number.`);

function unary(parser: Parser): Value {
  parser.depth += 1;
  if (parser.depth > DEEPEST) throw new Problem('The expression is nested too deeply.');
  try {
    const token = parser.tokens[parser.at];
    if (token === undefined) throw new Problem(`\`${parser.text}\` breaks off: a value is missing.`);
    parser.at += 1;
    return prefixed(parser, token) ?? primary(parser, token);
  } finally {
    parser.depth -= 1;
  }
}

function prefixed(parser: Parser, token: string): Value | undefined {
  if (!['-', '+', '~', '!'].includes(token)) return undefined;
  const operand = unary(parser);
  switch (token) {
    case '-':
      return (scope) => BigInt.asUintN(64, -numberOf(operand(scope)));
    case '~':
      return (scope) => BigInt.asUintN(64, ~numberOf(operand(scope)));
    case '!':
      return (scope) => bit(!isTrue(operand(scope)));
    default:
      return operand;
  }
}

function primary(parser: Parser, token: string): Value {
  if (/^\d/.test(token)) {
    const value = BigInt.asUintN(64, BigInt(token));
    return () => value;
  }
  if (/^["']/.test(token)) return () => token.slice(1, -1);
  if (token === '(') return closed(parser, ')');
  if (token.startsWith('$')) {
    parser.looks = true;
    const name = token.slice(1).toLowerCase();
    return (scope) => scope.register(name);
  }
  if (!/^[a-z_.]/i.test(token)) throw new Problem(`\`${parser.text}\` cannot be read at \`${token}\`.`);
  const memory = parser.tokens[parser.at] === '[' ? MEMORY[token] : undefined;
  if (memory === undefined) {
    parser.names.add(token);
    return (scope) => scope.named(token);
  }
  parser.at += 1;
  parser.looks = true;
  const address = closed(parser, ']');
  return (scope) => scope.memory(numberOf(address(scope)), memory.size, memory.space);
}

function closed(parser: Parser, end: string): Value {
  const value = binary(parser, 0);
  if (parser.tokens[parser.at] !== end) throw new Problem(`\`${parser.text}\` lacks a \`${end}\`.`);
  parser.at += 1;
  return value;
}

/** The number an expression comes to. */
export const numberIn = (expression: Expression, scope: Scope): bigint => numberOf(expression.value(scope));
