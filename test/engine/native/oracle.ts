import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Size of one case's record; its fields are described in oracle.c. */
export const RECORD = 512;
export const CODE = 1;
export const RAX = 24;
export const RFLAGS = 32;
export const MXCSR = 40;
export const CAUGHT = 44;
export const IMAGE = 64;
export const XMM0 = 192;
export const XMM1 = 208;
export const MEMORY = 256;

/** A built oracle, or why there is none. */
export interface Oracle {
  readonly missing: string | undefined;
  run(records: Uint8Array): Uint8Array;
  remove(): void;
}

/** Builds the helper that runs instructions on the host processor. */
export function buildOracle(): Oracle {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-oracle-'));
  const binary = join(folder, 'oracle');
  const source = join(import.meta.dirname, 'oracle.c');
  const built = spawnSync('gcc', ['-O1', '-o', binary, source], { encoding: 'utf8' });
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const failed = built.error !== undefined || built.status !== 0 || process.arch !== 'x64';
  const missing = failed ? `no host oracle: gcc cannot build ${source} for x86-64 (${built.stderr ?? ''})` : undefined;
  const run = (records: Uint8Array): Uint8Array => {
    const done = spawnSync(binary, [], { input: records, maxBuffer: records.length + 1024 });
    if (done.status !== 0 || done.stdout.length !== records.length) throw new Error('the host oracle died');
    return new Uint8Array(done.stdout);
  };
  return { missing, run, remove };
}

/** A small generator of pseudo-random numbers (xorshift32), so that a failing case can be found again. */
export interface Draw {
  state: number;
}

/** The next 32 random bits. */
export function draw32(draw: Draw): number {
  let x = draw.state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  draw.state = x;
  return (Math.imul(x, 0x9e37_79b1) ^ (x >>> 7)) >>> 0;
}

/** A random integer below `limit`. */
export function drawBelow(draw: Draw, limit: number): number {
  return draw32(draw) % limit;
}

/** 64 random bits. */
export function draw64(draw: Draw): bigint {
  return (BigInt(draw32(draw)) << 32n) | BigInt(draw32(draw));
}

/** One of the given values. */
export function drawOf<T>(draw: Draw, values: readonly T[]): T {
  return values[drawBelow(draw, values.length)];
}
