import type { Draw } from '../replay/mutated-events.ts';

/** Numbers that bounds are forgotten for. */
const BORDERS = [0, 1, 2, 7, 8, 63, 64, 127, 128, 255, 256, 4095, 4096, 65_535, 65_536, 2 ** 24];
const HUGE = [
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  2 ** 53 - 1,
  2 ** 53,
  1e18,
  1e308,
  -1,
  -(2 ** 31),
  0.5,
];
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  '',
  '.',
  '..',
  '../../etc/passwd',
  '/dev/zero',
  '\x1b[2J',
  '\0',
  'kind',
];

export const oddNumber = (draw: Draw): number => draw.pick(draw.below(2) === 0 ? BORDERS : HUGE);
export const oddText = (draw: Draw): string =>
  draw.below(12) === 0 ? draw.pick(['x', '\x1b', 'ä']).repeat(100_000) : draw.pick(NAMES);

/** Some bytes otherwise, mostly within the places that say something of the others. */
export function mutatedBytes(bytes: Uint8Array, draw: Draw, telling = bytes.length): Uint8Array {
  let copy = bytes.slice();
  for (let left = draw.pick([1, 1, 2, 3, 8]); left > 0; left -= 1) {
    const { length } = copy;
    if (length === 0) return copy;
    const at = draw.below(draw.below(4) === 0 ? length : Math.min(telling, length));
    const kinds: readonly (() => void)[] = [
      () => void (copy[at] = draw.below(256)),
      () => void (copy[at]! ^= 1 << draw.below(8)),
      () => copy.fill(draw.pick([0, 0x7f, 0x80, 0xff]), at, Math.min(length, at + 1 + draw.below(24))),
      () => putNumber(copy, at, draw),
      () => copy.copyWithin(at, draw.below(length), draw.below(length)),
      () => void (draw.below(6) === 0 && (copy = copy.slice(0, at))),
    ];
    draw.pick(kinds)();
  }
  return copy;
}

/** A number of two, four or eight bytes on a place that suits it. */
function putNumber(bytes: Uint8Array, near: number, draw: Draw): void {
  const size = draw.pick([2, 4, 8]);
  const at = Math.floor(near / size) * size;
  if (at + size > bytes.length) return;
  const value = BigInt(Math.trunc(Math.min(oddNumber(draw), 2 ** 63)));
  for (let i = 0; i < size; i += 1) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

/** A value of the same shape in which something is otherwise: a value, a name, a number of things. */
export function mutatedValue(value: unknown, draw: Draw, depth = 0): unknown {
  const isContainer = typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
  if (!isContainer || draw.below(8) === 0 || depth > 12) return otherValue(value, draw);
  if (Array.isArray(value)) return mutatedList(value, draw, (item) => mutatedValue(item, draw, depth + 1));
  const entries = Object.entries(value);
  if (entries.length === 0) return { [oddText(draw)]: oddNumber(draw) };
  const [name, held] = draw.pick(entries);
  const rest = entries.filter(([each]) => each !== name);
  const kinds: readonly (() => unknown)[] = [
    () => Object.fromEntries([...rest, [name, mutatedValue(held, draw, depth + 1)]]),
    () => Object.fromEntries(entries.map(([n, v]) => [n, n === name ? mutatedValue(v, draw, depth + 1) : v])),
    () => Object.fromEntries(rest),
    () => Object.fromEntries([...rest, [oddText(draw), held]]),
  ];
  return draw.pick([kinds[1], kinds[1], kinds[1], ...kinds] as typeof kinds)();
}

function otherValue(value: unknown, draw: Draw): unknown {
  const kinds: readonly (() => unknown)[] = [
    () =>
      typeof value === 'bigint' ? BigInt(draw.pick([0, 1, 2 ** 53 - 1])) << BigInt(draw.below(80)) : oddNumber(draw),
    () => (typeof value === 'string' ? oddText(draw) : oddNumber(draw)),
    () => draw.pick([undefined, true, {}, [], '', 0]),
    () => (value instanceof Uint8Array ? mutatedBytes(value, draw) : oddText(draw)),
  ];
  return draw.pick(kinds)();
}

/** A list of members of a file (chunks, files of an archive) with one of them gone, twice, elsewhere or otherwise. */
export function mutatedList<T>(items: readonly T[], draw: Draw, otherwise: (item: T) => T): T[] {
  if (items.length === 0) return [];
  const at = draw.below(items.length);
  const to = draw.below(items.length);
  const item = items[at] as T;
  const kinds: readonly (() => T[])[] = [
    () => items.with(at, otherwise(item)),
    () => (items.length === 1 ? [otherwise(item)] : items.toSpliced(at, 1)),
    () => items.toSpliced(to, 0, item),
    () => items.with(at, items[to] as T).with(to, item),
    () => items.slice(0, 1 + at),
    () => (draw.below(10) === 0 ? new Array<T>(2000).fill(item) : items.with(at, otherwise(item))),
  ];
  return draw.pick([kinds[0], kinds[0], kinds[0], ...kinds] as typeof kinds)();
}
