import { caseOf, type Expected, type KnownAnswer, POINT } from './known-answers.ts';
import {
  type Bitness,
  type CaseRecord,
  codeOffset,
  ENTRY,
  FXSAVE,
  HUNG,
  INT3,
  NO_SEGMENTS,
  WINDOW_BASE,
} from './record.ts';

const STATUS_FLAGS = 0x8d5;
/** SDM Vol. 3, Table 6-1. */
const VECTORS: Readonly<Record<number, string>> = {
  ...{ 0: '#DE', 1: '#DB', 3: '#BP', 4: '#OF', 5: '#BR', 6: '#UD', 7: '#NM', 8: '#DF', 10: '#TS', 11: '#NP' },
  ...{ 12: '#SS', 13: '#GP', 14: '#PF', 16: '#MF', 17: '#AC', 18: '#MC', 19: '#XM', 20: '#VE', 21: '#CP' },
};

/** The name of an exception. */
export const vectorName = (vector: number): string => VECTORS[vector] ?? `vector ${vector}`;

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** What of an outcome is not as the manual says, as sentences; empty when all is. */
export function difference(answer: KnownAnswer, after: CaseRecord, bitness: Bitness): string[] {
  const { text, code, expected } = answer;
  const { vector = INT3 } = expected;
  if (after.vector === NO_SEGMENTS) return ['This host gives no 16-bit segments (modify_ldt).'];
  if (after.vector === HUNG) return [`${text} does not come to an end on this host.`];
  const { length = vector === INT3 ? code.length : 0 } = expected;
  if (after.vector !== vector) {
    const isBehind = vector === INT3 && after.rip === BigInt(codeOffset(ENTRY + length, bitness));
    if (isBehind) return [`The INT3 behind ${text} arrives as ${vectorName(after.vector)} on this host.`];
    if (vector === INT3) return [`${text} raises ${vectorName(after.vector)} on this host.`];
    return [`${text} ends with ${vectorName(after.vector)} here, where the manual says ${vectorName(vector)}.`];
  }
  const wanted = valuesOf(answer, bitness);
  const found = foundIn(after, expected, bitness);
  wanted.set('rip', BigInt(codeOffset(ENTRY + length, bitness)));
  return [...wanted].flatMap(([name, want]) => {
    const have = found.get(name) ?? 0n;
    return have === want ? [] : [`${text} leaves ${name} as ${hex(have)} here, where the manual says ${hex(want)}.`];
  });
}

/** What the manual gives, by name. */
function valuesOf({ expected, given }: KnownAnswer, bitness: Bitness): Map<string, bigint> {
  const values = new Map<string, bigint>();
  const set = (name: string, value: bigint | number | undefined): void => {
    if (value !== undefined) values.set(name, BigInt(value));
  };
  const before = caseOf({ text: '', code: [], given, expected }, bitness);
  for (let i = 0; i < 8; i++) set(`register ${i}`, expected.gpr?.[i] ?? before.gpr(i));
  set('the flags', expected.flags);
  set('the error code', expected.errorCode);
  set('CR2', expected.cr2);
  set('FSW', expected.fsw);
  for (const [i, [high, significand]] of (expected.st ?? []).entries()) {
    set(`ST(${i})`, (BigInt(high) << 64n) | significand);
  }
  for (const [i, [low, high]] of (expected.xmm ?? []).entries()) set(`XMM${i}`, (high << 64n) | low);
  for (const [i, quad] of (expected.memory ?? []).entries()) set(`quadword ${i} of memory`, quad);
  return values;
}

/** The same of what the host left. */
function foundIn(after: CaseRecord, expected: Expected, bitness: Bitness): Map<string, bigint> {
  const image = new DataView(after.fx.buffer, after.fx.byteOffset, after.fx.length);
  const window = new DataView(after.window.buffer, after.window.byteOffset, after.window.length);
  const pair = (at: number, highBytes: number): bigint => {
    const high = highBytes === 2 ? BigInt(image.getUint16(at + 8, true)) : image.getBigUint64(at + 8, true);
    return (high << 64n) | image.getBigUint64(at, true);
  };
  const narrow = (value: bigint): bigint => BigInt.asUintN(bitness === 64 ? 64 : 32, value);
  return new Map([
    ['rip', narrow(after.rip)],
    ...Array.from({ length: 8 }, (_, i): [string, bigint] => [`register ${i}`, narrow(after.gpr(i))]),
    ['the flags', BigInt(after.rflags & STATUS_FLAGS)],
    ['the error code', BigInt(after.errorCode)],
    ['CR2', after.cr2],
    ['FSW', BigInt(image.getUint16(FXSAVE.fsw, true))],
    ...(expected.st ?? []).map((_, i): [string, bigint] => [`ST(${i})`, pair(FXSAVE.st + 16 * i, 2)]),
    ...(expected.xmm ?? []).map((_, i): [string, bigint] => [`XMM${i}`, pair(FXSAVE.xmm + 16 * i, 8)]),
    ...(expected.memory ?? []).map((_, i): [string, bigint] => [
      `quadword ${i} of memory`,
      window.getBigUint64(POINT - WINDOW_BASE + 8 * i, true),
    ]),
  ]);
}
