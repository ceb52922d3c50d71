/**
 * Plain values as CBOR, one value one encoding: RFC 8949, 4.2.1 (core deterministic encoding), with every number that
 * is no integer as a double. A bigint and a number of one integer value are alike; a field that is undefined is absent.
 */

const MAJOR = { unsigned: 0x00, negative: 0x20, bytes: 0x40, text: 0x60, array: 0x80, map: 0xa0, tag: 0xc0 } as const;
const SIMPLE = { false: 0xf4, true: 0xf5, null: 0xf6, undefined: 0xf7, double: 0xfb } as const;
/** Tags of integers beyond 64 bits. RFC 8949, 3.4.3. */
const BIGNUM = { positive: 2, negative: 3 } as const;

/** A 64-bit integer by its halves, on a host that stores the lower one first. */
const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

const UTF_8 = new TextEncoder();

const SHORT = 24;

/** Names of fields a guest or a trace makes up are not kept without end. */
const MOST_KEPT = 4096;

/** Fields of one shape: as they were made, then sorted, each with what its name comes to. */
interface Shape {
  readonly made: readonly string[];
  readonly sorted: readonly string[];
  readonly keys: readonly Uint8Array[];
}

/** Encodes values one after the other into one buffer, which it keeps. */
export class CborEncoder {
  private bytes = new Uint8Array(1 << 12);
  private view = new DataView(this.bytes.buffer);
  private length = 0;
  /** What names of fields come to, and the shapes that begin with a name. They save time: none of it is state. */
  private readonly keys = new Map<string, Uint8Array>();
  private readonly shapes = new Map<string, Shape[]>();
  private shapesKept = 0;

  /** The value's bytes: a view that the next call overwrites. Functions and symbols are no plain values. */
  encode(value: unknown): Uint8Array {
    this.length = 0;
    this.put(value);
    return this.bytes.subarray(0, this.length);
  }

  private put(value: unknown): void {
    switch (typeof value) {
      case 'number':
        this.putNumber(value);
        return;
      case 'bigint':
        this.putBigint(value);
        return;
      case 'string':
        this.putText(value);
        return;
      case 'boolean':
        this.putByte(value ? SIMPLE.true : SIMPLE.false);
        return;
      case 'undefined':
        this.putByte(SIMPLE.undefined);
        return;
      default:
        this.putObject(value as object | null);
    }
  }

  private putObject(value: object | null): void {
    if (value === null) {
      this.putByte(SIMPLE.null);
    } else if (Array.isArray(value)) {
      this.putHead(MAJOR.array, value.length);
      for (const item of value) this.put(item);
    } else if (value instanceof Uint8Array) {
      this.putHead(MAJOR.bytes, value.length);
      this.append(value);
    } else {
      this.putMap(value as Readonly<Record<string, unknown>>);
    }
  }

  private putMap(map: Readonly<Record<string, unknown>>): void {
    const { sorted, keys } = this.shapeOf(Object.keys(map));
    let present = 0;
    for (let i = 0; i < sorted.length; i += 1) if (map[sorted[i]!] !== undefined) present += 1;
    this.putHead(MAJOR.map, present);
    for (let i = 0; i < sorted.length; i += 1) {
      const value = map[sorted[i]!];
      if (value === undefined) continue;
      this.append(keys[i]!);
      this.put(value);
    }
  }

  /** Sorting is dear and shapes are few: one that was met before is known by its names. */
  private shapeOf(names: readonly string[]): Shape {
    const first = names[0] ?? '';
    const alike = this.shapes.get(first);
    if (alike !== undefined) for (const shape of alike) if (areSame(shape.made, names)) return shape;
    const sorted = [...names].sort((a, b) => compareBytes(this.keyOf(a), this.keyOf(b)));
    const shape = { made: [...names], sorted, keys: sorted.map((name) => this.keyOf(name)) };
    if (this.shapesKept < MOST_KEPT) {
      this.shapesKept += 1;
      if (alike === undefined) this.shapes.set(first, [shape]);
      else alike.push(shape);
    }
    return shape;
  }

  private keyOf(name: string): Uint8Array {
    const known = this.keys.get(name);
    if (known !== undefined) return known;
    const { length } = this;
    this.putText(name);
    const encoded = this.bytes.slice(length, this.length);
    this.length = length;
    if (this.keys.size < MOST_KEPT) this.keys.set(name, encoded);
    return encoded;
  }

  /** What is no Unicode (half a surrogate pair) becomes U+FFFD. */
  private putText(text: string): void {
    const utf8 = UTF_8.encode(text);
    this.putHead(MAJOR.text, utf8.length);
    this.append(utf8);
  }

  private putNumber(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value >= 0) this.putHead(MAJOR.unsigned, value);
      else this.putHead(MAJOR.negative, -1 - value);
      return;
    }
    this.putByte(SIMPLE.double);
    this.room(8);
    this.view.setFloat64(this.length, value);
    this.length += 8;
  }

  private putBigint(value: bigint): void {
    WIDE[0] = value;
    if (WIDE[0] === value) {
      this.putWideHead(MAJOR.unsigned, HALVES[1]!, HALVES[0]!);
      return;
    }
    const magnitude = value < 0n ? -1n - value : value;
    WIDE[0] = magnitude;
    if (value < 0n && WIDE[0] === magnitude) {
      this.putWideHead(MAJOR.negative, HALVES[1]!, HALVES[0]!);
      return;
    }
    this.putHead(MAJOR.tag, value < 0n ? BIGNUM.negative : BIGNUM.positive);
    const digits = magnitude.toString(16);
    const even = digits.length % 2 === 0 ? digits : `0${digits}`;
    this.putHead(MAJOR.bytes, even.length / 2);
    for (let at = 0; at < even.length; at += 2) this.putByte(Number.parseInt(even.slice(at, at + 2), 16));
  }

  private putWideHead(major: number, high: number, low: number): void {
    if (high === 0) {
      this.putHead(major, low);
      return;
    }
    this.room(9);
    this.bytes[this.length] = major | 27;
    this.view.setUint32(this.length + 1, high);
    this.view.setUint32(this.length + 5, low);
    this.length += 9;
  }

  /** The shortest head that holds the argument, a safe integer. RFC 8949, 3. */
  private putHead(major: number, argument: number): void {
    this.room(9);
    if (argument < 24) {
      this.bytes[this.length] = major | argument;
      this.length += 1;
    } else if (argument < 2 ** 8) {
      this.bytes[this.length] = major | 24;
      this.bytes[this.length + 1] = argument;
      this.length += 2;
    } else if (argument < 2 ** 16) {
      this.bytes[this.length] = major | 25;
      this.view.setUint16(this.length + 1, argument);
      this.length += 3;
    } else if (argument < 2 ** 32) {
      this.bytes[this.length] = major | 26;
      this.view.setUint32(this.length + 1, argument);
      this.length += 5;
    } else {
      this.bytes[this.length] = major | 27;
      this.view.setUint32(this.length + 1, Math.floor(argument / 2 ** 32));
      this.view.setUint32(this.length + 5, argument >>> 0);
      this.length += 9;
    }
  }

  private putByte(byte: number): void {
    this.room(1);
    this.bytes[this.length] = byte;
    this.length += 1;
  }

  private append(bytes: Uint8Array): void {
    const { length } = bytes;
    this.room(length);
    // `set` is dear for a few bytes, which most names and texts are.
    if (length > SHORT) this.bytes.set(bytes, this.length);
    else for (let i = 0; i < length; i += 1) this.bytes[this.length + i] = bytes[i]!;
    this.length += length;
  }

  private room(more: number): void {
    const least = this.length + more;
    if (least <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(least, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
