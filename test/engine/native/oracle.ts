import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildHelper, type HelperProcess, helperProcess } from '../../oracle/host-cpu/native-process.ts';
import { isHost, openHostCpu } from '../../oracle/host-cpu/host.ts';
import { type Aside, stepAside } from '../../stepping-aside.ts';

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

const SIGILL = 4;
const SIGFPE = 8;
const [UD, MF, XM] = [6, 16, 19];

/** A built oracle, or why there is none. */
export interface Oracle {
  readonly missing: Aside | undefined;
  /** The running test steps aside where this host gets the instruction, or one of these exceptions, wrong. */
  relyOn(code: readonly number[], ...vectors: readonly number[]): void;
  /** Changed records; the running test steps aside where the helper dies over them. */
  run(records: Uint8Array): Uint8Array;
  remove(): void;
}

/** Builds the helper that runs instructions on the host processor. */
export function buildOracle(): Oracle {
  const host = openHostCpu();
  const source = fileURLToPath(new URL('./oracle.c', import.meta.url));
  const built = isHost(host) ? buildHelper(source, ['-O1']) : host;
  if (isHost(host)) host.close();
  if (!isHost(host) || !('folder' in built)) {
    return { missing: 'folder' in built ? undefined : built, relyOn: absent, run: absent, remove: () => undefined };
  }
  const helper = helperProcess(built.folder);
  return {
    missing: host.areas.ofCode(64) ?? wrongFrame(helper),
    relyOn: (code, ...vectors) => {
      const faults = vectors.map((vector) => host.areas.ofFault(vector, 64));
      const asides = [host.areas.ofInstruction(Uint8Array.from(code), 64), ...faults];
      const wrong = asides.filter((aside) => aside !== undefined);
      if (wrong.length > 0) stepAside(...wrong);
    },
    run: (records) => {
      const answer = helper(records);
      if (typeof answer !== 'string') return answer;
      return stepAside({ what: FRAME, why: `It ended with ${answer} here.`, kind: 'host' });
    },
    remove: () => rmSync(built.folder, { recursive: true, force: true }),
  };
}

const absent = (): never => {
  throw new Error('there is no oracle on this machine');
};

const FRAME = 'the program that runs x87 and SSE instructions';

/** What it does around the instruction, and how signals come, by instructions whose outcome is known. */
function wrongFrame(helper: HelperProcess): Aside | undefined {
  const records = new Uint8Array(4 * RECORD);
  const view = new DataView(records.buffer);
  const codes = [[0x90], [0xd9, 0xe8], [0x0f, 0x0b], [0x0f, 0x5e, 0xc1]];
  for (const [at, code] of codes.entries()) {
    const base = at * RECORD;
    records.set([code.length, ...code], base);
    view.setUint32(base + RFLAGS, 0x202, true);
    view.setUint32(base + MXCSR, 0x1d80, true);
    view.setUint32(base + IMAGE, 0xffff_037f, true);
    view.setUint32(base + IMAGE + 8, 0xffff_ffff, true);
    for (let lane = 0; lane < 16; lane += 4) view.setUint32(base + XMM0 + lane, 0x3f80_0000, true);
  }
  const answer = helper(records);
  if (typeof answer === 'string') return { what: FRAME, why: `It ended with ${answer} here.`, kind: 'host' };
  const after = new DataView(answer.buffer, answer.byteOffset, answer.length);
  const caught = codes.map((_, at) => after.getUint32(at * RECORD + CAUGHT, true));
  const [tag, exponent] = [after.getUint16(RECORD + IMAGE + 8, true), after.getUint16(RECORD + IMAGE + 36, true)];
  if (caught.join() === [0, 0, SIGILL, SIGFPE].join() && tag === 0x3fff && exponent === 0x3fff) return undefined;
  const why = 'NOP, FLD1, UD2 and DIVPS by zero, unmasked, do not end here as the manual says.';
  return { what: FRAME, why, kind: 'host' };
}

/** Exceptions of instructions under test: an invalid opcode, and what x87 and SSE arithmetic raises. */
export const RAISED = { UD, MF, XM } as const;

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
  return values[drawBelow(draw, values.length)]!;
}
