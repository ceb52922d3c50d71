import { spawnSync } from 'node:child_process';
import type { Interned } from './align.ts';

/** Read a recording `CSBASE:RIP:BYTES (MODE)`, one instruction a line, xz-compressed. */
export function readInstructions(path: string, table: Interned, limit = Infinity): Int32Array {
  const unpacked = spawnSync('xz', ['-dc', path], { maxBuffer: 2 ** 30 });
  if (unpacked.status !== 0) throw new Error(`xz cannot unpack ${path}: ${unpacked.stderr}`);
  const bytes = unpacked.stdout;
  const ids = new Int32Array(Math.ceil(bytes.length / 12));
  let count = 0;
  for (let at = 0; at < bytes.length && count < limit; ) {
    const end = bytes.indexOf(10, at);
    const stop = end < 0 ? bytes.length : end;
    ids[count++] = table.id(bytes.toString('latin1', at, stop));
    at = stop + 1;
  }
  return ids.slice(0, count);
}
