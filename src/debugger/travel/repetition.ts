import type { Gva } from '../../base/units.ts';
import type { Registers } from '../../x86/guest.ts';
import { GPR, RFLAGS_RF } from '../../x86/registers.ts';

/** Where a repeated string instruction stood when it was last seen. */
export interface Repetition {
  readonly address: Gva;
  readonly count: bigint;
  readonly source: bigint;
  readonly destination: bigint;
}

const { RCX, RSI, RDI } = GPR;
const LONGEST = 15;
/** Operand size, address size and segment prefixes, LOCK and REX. SDM Vol. 2, 2.1.1. */
const PREFIXES = new Set([0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0]);
/** INS, OUTS, MOVS, CMPS, STOS, LODS, SCAS. SDM Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ". */
const STRINGS = new Set([...[0x6c, 0x6d, 0x6e, 0x6f, 0xa4, 0xa5, 0xa6, 0xa7], ...[0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf]]);

/** Whether code begins with a string instruction that repeats. */
export function isRepeatedString(code: Uint8Array): boolean {
  let repeats = false;
  for (let at = 0; at < Math.min(LONGEST, code.length); at += 1) {
    const byte = code[at]!;
    if (byte === 0xf2 || byte === 0xf3) repeats = true;
    else if (!PREFIXES.has(byte) && (byte & 0xf0) !== 0x40) return repeats && STRINGS.has(byte);
  }
  return false;
}

/** What there is to compare a later look with. */
export const repetitionAt = (address: Gva, registers: Registers): Repetition => ({
  address,
  count: registers.gpr(RCX),
  source: registers.gpr(RSI),
  destination: registers.gpr(RDI),
});

/**
 * Whether a repeated string instruction is in mid-repetition: it was seen with a higher count, and its pointers have
 * moved by as many elements. Else RF tells that a fault interrupted it. SDM Vol. 3, 18.3.1.1.
 */
export function isMidway(address: Gva, registers: Registers, seen: Repetition | undefined): boolean {
  const isResumed = (registers.rflags & RFLAGS_RF) !== 0n;
  if (seen === undefined || seen.address !== address) return isResumed;
  const now = repetitionAt(address, registers);
  const done = seen.count - now.count;
  if (now.count === 0n || done <= 0n) return isResumed;
  const moved = [now.source - seen.source, now.destination - seen.destination].map((by) => (by < 0n ? -by : by));
  const isWhole = (by: bigint): boolean => [1n, 2n, 4n, 8n].some((size) => by === size * done);
  return moved.some((by) => by !== 0n) && moved.every((by) => by === 0n || isWhole(by));
}
