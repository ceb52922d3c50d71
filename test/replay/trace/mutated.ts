/** A small generator of chance with a seed: the same mutations every time. */
export function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Mutation = (bytes: Uint8Array, draw: (below: number) => number) => Uint8Array;

/** What can become of a file. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'is cut': (bytes, draw) => bytes.slice(0, draw(bytes.length)),
  'has a bit flipped': (bytes, draw) => {
    const copy = bytes.slice();
    copy[draw(copy.length)] ^= 1 << draw(8);
    return copy;
  },
  'has a run of bytes overwritten': (bytes, draw) => {
    const copy = bytes.slice();
    const at = draw(copy.length);
    for (let i = at; i < Math.min(copy.length, at + 1 + draw(300)); i += 1) copy[i] = draw(256);
    return copy;
  },
  'has two stretches swapped': (bytes, draw) => {
    const copy = bytes.slice();
    const length = 1 + draw(4000);
    const [a, b] = [draw(copy.length - length), draw(copy.length - length)];
    copy.set(bytes.subarray(a, a + length), b);
    copy.set(bytes.subarray(b, b + length), a);
    return copy;
  },
  'has bytes inserted': (bytes, draw) => {
    const at = draw(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), new Uint8Array(1 + draw(100)), bytes.subarray(at)]);
  },
};
