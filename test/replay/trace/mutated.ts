import { CHUNK_HEADER_LENGTH, PREAMBLE_LENGTH, TRAILER_LENGTH } from '../../../src/replay/trace/chunk.ts';

/** A small generator of chance with a seed: the same mutations every time. */
export function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Where the chunks of a whole file begin and the last ends, by their headers. */
function chunkEdges(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const edges = [PREAMBLE_LENGTH];
  for (let at = PREAMBLE_LENGTH; at + CHUNK_HEADER_LENGTH <= bytes.length - TRAILER_LENGTH; ) {
    at += CHUNK_HEADER_LENGTH + view.getUint32(at + 12, true);
    edges.push(at);
  }
  return edges;
}

type Mutation = (bytes: Uint8Array, draw: (below: number) => number) => Uint8Array;

/** What can become of a file. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'is cut': (bytes, draw) => bytes.slice(0, draw(bytes.length)),
  'has a bit flipped': (bytes, draw) => {
    const copy = bytes.slice();
    copy[draw(copy.length)]! ^= 1 << draw(8);
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
  'has two chunks swapped': (bytes, draw) => {
    const edges = chunkEdges(bytes);
    const [one, other] = [draw(edges.length - 1), draw(edges.length - 1)];
    const [a, b] = [Math.min(one, other), Math.max(one, other)];
    const piece = (from: number, to: number) => bytes.subarray(edges[from], edges[to]);
    if (a === b) return bytes;
    const ends = [bytes.subarray(0, edges[a]), bytes.subarray(edges[b + 1])] as const;
    return Buffer.concat([ends[0], piece(b, b + 1), piece(a + 1, b), piece(a, a + 1), ends[1]]);
  },
  'has a chunk in place of another': (bytes, draw) => {
    const edges = chunkEdges(bytes);
    const [from, to] = [draw(edges.length - 1), draw(edges.length - 1)];
    const other = bytes.subarray(edges[from], edges[from + 1]);
    return Buffer.concat([bytes.subarray(0, edges[to]), other, bytes.subarray(edges[to + 1])]);
  },
  'has bytes inserted': (bytes, draw) => {
    const at = draw(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), new Uint8Array(1 + draw(100)), bytes.subarray(at)]);
  },
};
