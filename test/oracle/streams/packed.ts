import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import type { Interned } from './align.ts';

/**
 * A stream small enough to commit: its texts, and for each place where what followed is not what followed the same
 * instruction the last time, how many were as foreseen before it and which came instead.
 */
export function pack(ids: Int32Array, table: Interned): Uint8Array {
  const own = new Map<number, number>();
  for (const id of ids) if (!own.has(id)) own.set(id, own.size);
  const next = new Map<number, number>();
  const surprises: number[] = [];
  let foreseen = 0;
  let last = -1;
  for (const id of ids) {
    if (next.get(last) === id) foreseen++;
    else {
      surprises.push(foreseen, own.get(id)!);
      foreseen = 0;
      next.set(last, id);
    }
    last = id;
  }
  const texts = [...own.keys()].map((id) => table.text(id));
  return brotliCompressSync([...texts, '', [...surprises, foreseen].join(' ')].join('\n'));
}

/** The stream that was packed. */
export function unpack(bytes: Uint8Array, table: Interned): Int32Array {
  const lines = brotliDecompressSync(bytes).toString('latin1').split('\n');
  const surprises = lines[lines.length - 1]!.split(' ').map(Number);
  const own = lines.slice(0, -2).map((text) => table.id(text));
  const length = surprises.reduce((sum, n, i) => (i % 2 === 0 ? sum + n : sum + 1), 0);
  const ids = new Int32Array(length);
  const next = new Map<number, number>();
  let at = 0;
  let last = -1;
  for (let i = 0; i < surprises.length; i += 2) {
    for (let n = surprises[i]!; n > 0; n--) ids[at++] = last = next.get(last)!;
    if (i + 1 === surprises.length) break;
    const id = own[surprises[i + 1]!]!;
    next.set(last, id);
    ids[at++] = last = id;
  }
  return ids;
}
