/** Encoded ACPI machine language. ACPI specification 6.4, chapter 20. */
export type Aml = readonly number[];

/** A term: encoded AML, a name, or an integer. */
export type Term = Aml | string | number;

/** Integers take their shortest form; strings are names. */
function encode(term: Term): Aml {
  if (typeof term === 'number') return integer(term);
  return typeof term === 'string' ? path(term) : term;
}

/** Zero, One, or the shortest constant. 20.2.3. */
function integer(value: number): Aml {
  if (value === 0) return [0x00];
  if (value === 1) return [0x01];
  if (value <= 0xff) return [0x0a, value];
  if (value <= 0xffff) return [0x0b, ...little(value, 2)];
  return value <= 0xffffffff ? [0x0c, ...little(value, 4)] : [0x0e, ...little(value, 8)];
}

/** A constant of four bytes whatever its value. */
export const dword = (value: number): Aml => [0x0c, ...little(value, 4)];

/** Names are four characters, dots separate them, a backslash starts at the root. 20.2.2. */
function path(text: string): Aml {
  const bytes: number[] = text.startsWith('\\') ? [0x5c] : [];
  const rest = text.slice(bytes.length);
  const names = rest === '' ? [] : rest.split('.');
  if (names.length === 0) bytes.push(0x00);
  else if (names.length === 2) bytes.push(0x2e);
  else if (names.length > 2) bytes.push(0x2f, names.length);
  for (const name of names) append(bytes, name.padEnd(4, '_'));
  return bytes;
}

/** A zero-terminated string constant. */
export const text = (value: string): Aml => [0x0d, ...ascii(value), 0];

/** A plug-and-play identifier packed into an integer. ACPI 19.6.37. */
export function eisaId(id: string): Aml {
  const letter = (index: number): number => id.charCodeAt(index) - 0x40;
  const vendor = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = Number.parseInt(id.slice(3), 16);
  return [0x0c, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

/** Bytes with their count. */
export const buffer = (bytes: readonly number[]): Aml => packaged([0x11], integer(bytes.length), bytes);

/** `count` elements, of which those given have values. */
export const packageOf = (elements: readonly Term[], count = elements.length): Aml =>
  packaged([0x12], [count], all(elements));

/** Name(NAME, value). */
export const name = (named: string, value: Term): Aml => joined([[0x08], path(named), encode(value)]);

/** Scope(NAME) { ... } */
export const scope = (named: string, ...terms: readonly Term[]): Aml => packaged([0x10], path(named), all(terms));

/** Device(NAME) { ... } */
export const device = (named: string, ...terms: readonly Term[]): Aml =>
  packaged([0x5b, 0x82], path(named), all(terms));

/** Processor(NAME, id) { ... } without a P_BLK. */
export const processor = (named: string, id: number, ...terms: readonly Term[]): Aml =>
  packaged([0x5b, 0x83], path(named), [id, 0, 0, 0, 0, 0], all(terms));

/** Method(NAME, arguments) { ... } */
export const method = (named: string, args: number, ...terms: readonly Term[]): Aml =>
  packaged([0x14], path(named), [args], all(terms));

/** Method(NAME, arguments, Serialized) { ... } */
export const serialized = (named: string, args: number, ...terms: readonly Term[]): Aml =>
  packaged([0x14], path(named), [args | 8], all(terms));

/** Mutex(NAME, 0). */
export const mutex = (named: string): Aml => [0x5b, 0x01, ...path(named), 0];

/** Operation region address spaces. ACPI 19.6.100. */
export const SPACE = { memory: 0, io: 1, pciConfig: 2 } as const;

/** OperationRegion(NAME, space, offset, length). */
export const region = (named: string, space: number, offset: Term, length: Term): Aml => [
  0x5b,
  0x80,
  ...path(named),
  space,
  ...encode(offset),
  ...encode(length),
];

/** Field flags: access width, lock, and what happens to bits not written. ACPI 20.2.5.2. */
export const FIELD = { byte: 1, dword: 3, lock: 0x10, preserve: 0, writeAsZeros: 0x40 } as const;

/** Field(NAME) { name, bits, ... }; an empty name skips bits. */
export function field(named: string, flags: number, ...members: readonly (readonly [string, number])[]): Aml {
  const list = members.flatMap(([member, bits]) => [...(member === '' ? [0] : path(member)), ...packageLength(bits)]);
  return packaged([0x5b, 0x81], path(named), [flags], list);
}

/** If (condition) { ... } */
export const when = (condition: Term, ...terms: readonly Term[]): Aml =>
  packaged([0xa0], encode(condition), all(terms));

/** Else { ... } */
export const otherwise = (...terms: readonly Term[]): Aml => packaged([0xa1], all(terms));

/** While (condition) { ... } */
export const loop = (condition: Term, ...terms: readonly Term[]): Aml =>
  packaged([0xa2], encode(condition), all(terms));

/** Calling a method, or any operator written as its name and operands. */
export const call = (named: string, ...terms: readonly Term[]): Aml => joined([path(named), all(terms)]);

const operator = (opcode: number, operands: readonly Term[]): Aml => joined([[opcode], all(operands)]);

/** Operators. ACPI 20.2.5.4. Those with a target write to it; `NOWHERE` is none. */
export const store = (value: Term, target: Term): Aml => operator(0x70, [value, target]);
export const add = (a: Term, b: Term, target: Term = NOWHERE): Aml => operator(0x72, [a, b, target]);
export const subtract = (a: Term, b: Term, target: Term = NOWHERE): Aml => operator(0x74, [a, b, target]);
export const increment = (target: Term): Aml => operator(0x75, [target]);
export const shiftLeft = (a: Term, b: Term, target: Term = NOWHERE): Aml => operator(0x79, [a, b, target]);
export const shiftRight = (a: Term, b: Term, target: Term = NOWHERE): Aml => operator(0x7a, [a, b, target]);
export const and = (a: Term, b: Term, target: Term = NOWHERE): Aml => operator(0x7b, [a, b, target]);
export const or = (a: Term, b: Term, target: Term = NOWHERE): Aml => operator(0x7d, [a, b, target]);
export const derefOf = (a: Term): Aml => operator(0x83, [a]);
export const notify = (a: Term, value: Term): Aml => operator(0x86, [a, value]);
export const sizeOf = (a: Term): Aml => operator(0x87, [a]);
export const index = (a: Term, at: Term): Aml => operator(0x88, [a, at, NOWHERE]);
export const createDwordField = (a: Term, at: Term, named: string): Aml => operator(0x8a, [a, at, named]);
export const bothTrue = (a: Term, b: Term): Aml => operator(0x90, [a, b]);
export const eitherTrue = (a: Term, b: Term): Aml => operator(0x91, [a, b]);
export const not = (a: Term): Aml => operator(0x92, [a]);
export const equal = (a: Term, b: Term): Aml => operator(0x93, [a, b]);
export const greater = (a: Term, b: Term): Aml => operator(0x94, [a, b]);
export const less = (a: Term, b: Term): Aml => operator(0x95, [a, b]);
export const toBuffer = (a: Term, target: Term): Aml => operator(0x96, [a, target]);
export const toHexString = (a: Term, target: Term): Aml => operator(0x98, [a, target]);
export const give = (value: Term): Aml => operator(0xa4, [value]);
export const acquire = (named: string): Aml => [0x5b, 0x23, ...path(named), 0xff, 0xff];
export const release = (named: string): Aml => [0x5b, 0x27, ...path(named)];
export const leave: Aml = [0xa5];
export const DEBUG: Aml = [0x5b, 0x31];
/** A null name: the result goes nowhere. */
const NOWHERE: Aml = [0x00];
/** Local0-Local7 and Arg0-Arg6. */
export const LOCAL: readonly Aml[] = [[0x60], [0x61], [0x62], [0x63], [0x64], [0x65], [0x66], [0x67]];
export const ARG: readonly Aml[] = [[0x68], [0x69], [0x6a], [0x6b], [0x6c], [0x6d], [0x6e]];

/** Little-endian bytes. */
export function little(value: number, width: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (let at = 0; at < width; at++) {
    bytes.push(rest % 256);
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

function append(bytes: number[], text: string): void {
  for (let at = 0; at < text.length; at++) bytes.push(text.charCodeAt(at));
}

function ascii(value: string): number[] {
  const bytes: number[] = [];
  append(bytes, value);
  return bytes;
}

// By `concat`: spreading so many bytes keeps V8's compilers busy for longer than the tables are worth.
const joined = (parts: readonly Aml[]): number[] => ([] as number[]).concat(...parts);

const all = (terms: readonly Term[]): number[] => joined(terms.map(encode));

/** An opcode, then a length that counts itself. 20.2.4. */
function packaged(opcode: Aml, ...parts: readonly Aml[]): Aml {
  const body = joined(parts);
  const extra = [1, 2, 3, 4].find((width) => body.length + width < (width === 1 ? 0x40 : 2 ** (8 * width - 4)))!;
  return joined([opcode, packageLength(body.length + extra), body]);
}

function packageLength(length: number): number[] {
  if (length < 0x40) return [length];
  const rest = Math.floor(length / 16);
  const width = length < 0x1000 ? 1 : length < 0x100000 ? 2 : 3;
  return [(width << 6) | (length & 0xf), ...little(rest, width)];
}
