import { CpuidFeature } from 'iced-x86';
import {
  type Bitness,
  CaseRecord,
  DATA_BASE,
  DATA_SIZE,
  dataOffset,
  FXSAVE,
  WINDOW_BASE,
  WINDOW_SIZE,
} from './record.ts';

/** What a case of one instruction starts from, beside registers of zero. */
export interface Given {
  /** Registers by number, rax rcx rdx rbx rsp rbp rsi rdi. */
  readonly gpr?: Readonly<Record<number, bigint>>;
  readonly flags?: number;
  readonly fcw?: number;
  readonly fsw?: number;
  readonly mxcsr?: number;
  /** Sign, exponent and significand of ST(0), ST(1). */
  readonly st?: readonly (readonly [number, bigint])[];
  /** Low and high half of XMM0, XMM1. */
  readonly xmm?: readonly (readonly [bigint, bigint])[];
  /** Quadwords of memory from POINT on. */
  readonly memory?: readonly bigint[];
}

/** What the manual says about the end of a case. */
export interface Expected extends Omit<Given, 'flags' | 'fcw' | 'mxcsr'> {
  /** INT3 unless something else is expected. */
  readonly vector?: number;
  readonly errorCode?: number;
  readonly cr2?: bigint;
  /** The status flags among CF PF AF ZF SF OF. */
  readonly flags?: number;
  /** Bytes from the entry to where it stops; the length of the instruction unless given, 0 for a fault. */
  readonly length?: number;
}

/** One instruction whose outcome the manual (Intel SDM Vol. 2) gives. */
export interface KnownAnswer {
  readonly text: string;
  readonly code: readonly number[];
  readonly given: Given;
  readonly expected: Expected;
}

/** Where memory operands lie: in the middle of the window, a page boundary a byte behind. */
export const POINT = WINDOW_BASE + WINDOW_SIZE / 2 - 1;
const NOWHERE = DATA_BASE + DATA_SIZE + 0x1000;
const ONE: readonly [number, bigint] = [0x3fff, 1n << 63n];
const TWO: readonly [number, bigint] = [0x4000, 1n << 63n];
const ONES = 0x3f80_0000_3f80_0000n;
const TWOS = 0x4000_0000_4000_0000n;
const [CF, PF, AF, ZF, SF, OF] = [1, 4, 0x10, 0x40, 0x80, 0x800];

const answer = (text: string, code: readonly number[], given: Given, expected: Expected): KnownAnswer => ({
  text,
  code,
  given,
  expected,
});

/** ModRM of [rbx], [ebx] or [bx] with this register. */
const atRbx = (bitness: Bitness, reg: number): number => (reg << 3) | (bitness === 16 ? 7 : 3);
/** The same of [rsi], [esi] or [si]. */
const atRsi = (bitness: Bitness, reg: number): number => (reg << 3) | (bitness === 16 ? 4 : 6);
const point = (bitness: Bitness, offset = 0): bigint => BigInt(dataOffset(POINT + offset, bitness));

/** What every case of a mode relies on: how it ends, its segments, its stack and its branches. */
export function ofCode(bitness: Bitness): KnownAnswer[] {
  const top = bitness === 16 ? 0x7fffn : 0x7fff_ffffn;
  const rbx = point(bitness);
  const size = bitness / 8;
  const pushed = BigInt.asUintN(bitness, 0x1122_3344_5566_7788n);
  return [
    answer('NOP', [0x90], { gpr: { 0: 5n, 6: 7n } }, { gpr: { 0: 5n, 6: 7n }, flags: 0 }),
    answer('ADD', [0x01, 0xc8], { gpr: { 0: top, 1: 1n } }, { gpr: { 0: top + 1n }, flags: OF | SF | AF | PF }),
    answer('DIV', [0xf7, 0xf1], { gpr: { 0: 100n, 1: 7n } }, { gpr: { 0: 14n, 2: 2n } }),
    answer('a store', [0x88, atRbx(bitness, 0)], { gpr: { 0: 0x5an, 3: rbx } }, { memory: [0x5an] }),
    answer(
      'a load across pages',
      [0x8b, atRbx(bitness, 0)],
      { gpr: { 3: rbx }, memory: [0x0807_0605_0403_0201n] },
      { gpr: { 0: bitness === 16 ? 0x0201n : 0x0403_0201n } },
    ),
    answer('PUSH', [0x50], { gpr: { 0: pushed, 4: point(bitness, size) } }, { gpr: { 4: rbx }, memory: [pushed] }),
    answer(
      'REP MOVSB',
      [0xf3, 0xa4],
      { gpr: { 1: 3n, 6: rbx, 7: point(bitness, 8) }, memory: [0x33_2211n] },
      { gpr: { 1: 0n, 6: point(bitness, 3), 7: point(bitness, 11) }, memory: [0x33_2211n, 0x33_2211n] },
    ),
    answer('JMP', [0xeb, 0x05], {}, { length: 7 }),
  ];
}

/** How faults arrive, by their vectors, and that some do not. */
export function ofFaults(bitness: Bitness): ReadonlyMap<number, KnownAnswer> {
  const nowhere = { 0: 1n, 3: BigInt(dataOffset(NOWHERE, bitness)) };
  // Beyond the segment in 16-bit code, no canonical address in 64-bit code; a flat 4 GiB segment has no beyond.
  const beyond = bitness === 16 ? 0xffffn : 1n << 63n;
  const faults: [number, KnownAnswer][] = [
    [0, answer('DIV by zero', [0xf7, 0xf1], { gpr: { 0: 1n } }, { vector: 0 })],
    [6, answer('UD2', [0x0f, 0x0b], {}, { vector: 6 })],
    [13, answer('HLT at CPL 3', [0xf4], {}, { vector: 13, errorCode: 0 })],
    [
      14,
      answer(
        'a store to an unmapped page',
        [0x88, atRbx(bitness, 0)],
        { gpr: nowhere },
        { vector: 14, errorCode: 6, cr2: BigInt(NOWHERE) },
      ),
    ],
    [16, answer('FWAIT with an error waiting', [0x9b], { fcw: 0x37e, fsw: 0x8081 }, { vector: 16 })],
    [
      19,
      answer(
        'DIVPS by zero, unmasked',
        [0x0f, 0x5e, 0xc1],
        {
          mxcsr: 0x1d80,
          xmm: [
            [ONES, ONES],
            [0n, 0n],
          ],
        },
        { vector: 19 },
      ),
    ],
  ];
  // Linux can be told to trap locked accesses that cross a cache line, and ends the program: nothing else is #AC here.
  const split = answer(
    'LOCK ADD across cache lines',
    [0xf0, 0x01, atRbx(bitness, 0)],
    { gpr: { 0: 1n, 3: point(bitness) }, memory: [2n] },
    { memory: [3n] },
  );
  faults.push([1, split], [17, split]);
  const stack = answer(
    'a load from beyond the stack',
    [0x8b, 0x46, 0],
    { gpr: { 5: beyond } },
    {
      vector: 12,
      errorCode: 0,
    },
  );
  if (bitness === 16) faults.push([12, stack]);
  if (bitness === 64) faults.push([12, { ...stack, code: [0x8b, 0x45, 0] }]);
  return new Map(faults);
}

/** What a CPUID feature brings; its lack is #UD, or the older instruction of the same bytes. */
export function ofFeatures(bitness: Bitness): ReadonlyMap<CpuidFeature, KnownAnswer> {
  const rbx = point(bitness);
  const rsi = point(bitness);
  const two = (low: bigint, high = low): readonly [bigint, bigint] => [low, high];
  const wide = bitness === 16 ? 15n : 31n;
  const swapped = bitness === 16 ? 0x0102n : 0x0102_0304n;
  const list: [CpuidFeature, KnownAnswer][] = [
    [
      CpuidFeature.CMOV,
      answer('CMOVZ', [0x0f, 0x44, 0xc1], { gpr: { 1: 9n }, flags: ZF }, { gpr: { 0: 9n }, flags: ZF }),
    ],
    [
      CpuidFeature.CX8,
      answer(
        'CMPXCHG8B',
        [0x0f, 0xc7, atRsi(bitness, 1)],
        { gpr: { 0: 1n, 1: 4n, 2: 2n, 3: 3n, 6: rsi }, memory: [0x2_0000_0001n] },
        { memory: [0x4_0000_0003n], flags: ZF },
      ),
    ],
    [CpuidFeature.FPU, answer('FADD', [0xd8, 0xc1], { st: [ONE, ONE] }, { st: [TWO, ONE], fsw: 0 })],
    [CpuidFeature.FPU287, answer('FNSTSW AX', [0xdf, 0xe0], { fsw: 0x4500 }, { gpr: { 0: 0x4500n } })],
    [CpuidFeature.FPU387, answer('FUCOM', [0xdd, 0xe1], { st: [ONE, ONE] }, { fsw: 0x4000 })],
    [
      CpuidFeature.MMX,
      answer(
        'PADDB',
        [0x0f, 0xfc, 0xc1],
        {
          st: [
            [0, 0x0102_03ffn],
            [0, 0x1010_1002n],
          ],
        },
        { st: [[0xffff, 0x1112_1301n]] },
      ),
    ],
    [CpuidFeature.SSE, answer('ADDPS', [0x0f, 0x58, 0xc1], { xmm: [two(ONES), two(ONES)] }, { xmm: [two(TWOS)] })],
    [
      CpuidFeature.SSE2,
      answer(
        'ADDPD',
        [0x66, 0x0f, 0x58, 0xc1],
        { xmm: [two(0x3ff0n << 48n), two(0x3ff0n << 48n)] },
        { xmm: [two(0x4000n << 48n)] },
      ),
    ],
    [
      CpuidFeature.SSE3,
      answer('HADDPS', [0xf2, 0x0f, 0x7c, 0xc1], { xmm: [two(ONES), two(ONES)] }, { xmm: [two(TWOS)] }),
    ],
    [
      CpuidFeature.SSSE3,
      answer('PABSB', [0x66, 0x0f, 0x38, 0x1c, 0xc1], { xmm: [two(0n), two(0xff02_fen)] }, { xmm: [two(0x01_0202n)] }),
    ],
    [
      CpuidFeature.SSE4_1,
      answer(
        'PMULLD',
        [0x66, 0x0f, 0x38, 0x40, 0xc1],
        { xmm: [two(0x2_0000_0003n), two(0x5_0000_0007n)] },
        { xmm: [two(0xa_0000_0015n)] },
      ),
    ],
    [
      CpuidFeature.SSE4_2,
      answer(
        'PCMPGTQ',
        [0x66, 0x0f, 0x38, 0x37, 0xc1],
        { xmm: [two(2n, 1n), two(1n, 2n)] },
        { xmm: [two(0xffff_ffff_ffff_ffffn, 0n)] },
      ),
    ],
    [
      CpuidFeature.POPCNT,
      answer('POPCNT', [0xf3, 0x0f, 0xb8, 0xc3], { gpr: { 3: 0xff1n }, flags: CF }, { gpr: { 0: 9n }, flags: 0 }),
    ],
    [
      CpuidFeature.MOVBE,
      answer(
        'MOVBE',
        [0x0f, 0x38, 0xf0, atRbx(bitness, 0)],
        { gpr: { 3: rbx }, memory: [0x0403_0201n] },
        { gpr: { 0: swapped } },
      ),
    ],
    [
      CpuidFeature.BMI1,
      answer('ANDN', [0xc4, 0xe2, 0x60, 0xf2, 0xc1], { gpr: { 1: 0xffn, 3: 0xf0n } }, { gpr: { 0: 0xfn } }),
    ],
    [
      CpuidFeature.BMI2,
      answer(
        'RORX',
        [0xc4, 0xe3, 0x7b, 0xf0, 0xc1, 4],
        { gpr: { 1: 0x1234_5678n } },
        { gpr: { 0: 0x8123_4567n }, flags: 0 },
      ),
    ],
    [CpuidFeature.LZCNT, answer('LZCNT', [0xf3, 0x0f, 0xbd, 0xc3], { gpr: { 3: 1n } }, { gpr: { 0: wide } })],
    [
      CpuidFeature.ADX,
      answer(
        'ADCX',
        [0x66, 0x0f, 0x38, 0xf6, 0xc3],
        { gpr: { 0: 0xffff_ffffn, 3: 1n }, flags: CF | ZF },
        { gpr: { 0: 1n }, flags: CF | ZF },
      ),
    ],
    [CpuidFeature.MULTIBYTENOP, answer('a long NOP', [0x0f, 0x1f, 0xc0], { gpr: { 0: 5n } }, { gpr: { 0: 5n } })],
    [CpuidFeature.PAUSE, answer('PAUSE', [0xf3, 0x90], { gpr: { 0: 5n } }, { gpr: { 0: 5n }, flags: 0 })],
    [
      CpuidFeature.PREFETCHW,
      answer('PREFETCHW', [0x0f, 0x0d, atRbx(bitness, 1)], { gpr: { 3: rbx } }, { gpr: { 3: rbx } }),
    ],
  ];
  if (bitness === 64) list.push(...OF_LONG_MODE);
  return new Map(list);
}

const ALIGNED = BigInt(POINT + 1);

const OF_LONG_MODE: readonly [CpuidFeature, KnownAnswer][] = [
  [
    CpuidFeature.X64,
    answer('ADD of 64 bits', [0x4c, 0x01, 0xc8], { gpr: { 0: 0xffff_ffffn, 9: 1n } }, { gpr: { 0: 1n << 32n } }),
  ],
  [
    CpuidFeature.CMPXCHG16B,
    answer(
      'CMPXCHG16B',
      [0x48, 0x0f, 0xc7, 0x0e],
      { gpr: { 0: 0x0100n, 1: 4n, 2: 0n, 3: 0x0302n, 6: ALIGNED }, memory: [0x01_0000n] },
      { memory: [0x0003_0200n, 0x0000_0400n], flags: ZF },
    ),
  ],
];

/** The record that puts a question to the helper. */
export function caseOf({ code, given }: KnownAnswer, bitness: Bitness): CaseRecord {
  const record = new CaseRecord();
  record.setCode(Uint8Array.from(code), bitness);
  record.rflags = 0x202 | (given.flags ?? 0);
  record.setGpr(4, BigInt(dataOffset(WINDOW_BASE + 64, bitness)));
  for (const [index, value] of Object.entries(given.gpr ?? {})) record.setGpr(Number(index), value);
  const image = new DataView(record.fx.buffer, record.fx.byteOffset, record.fx.length);
  image.setUint16(FXSAVE.fcw, given.fcw ?? 0x37f, true);
  image.setUint16(FXSAVE.fsw, given.fsw ?? 0, true);
  image.setUint8(FXSAVE.ftw, 0xff);
  image.setUint32(FXSAVE.mxcsr, given.mxcsr ?? 0x1f80, true);
  image.setUint32(28, 0xffff, true);
  for (const [i, [high, significand]] of (given.st ?? []).entries()) {
    image.setBigUint64(FXSAVE.st + 16 * i, significand, true);
    image.setUint16(FXSAVE.st + 16 * i + 8, high, true);
  }
  for (const [i, halves] of (given.xmm ?? []).entries()) {
    halves.forEach((half, at) => image.setBigUint64(FXSAVE.xmm + 16 * i + 8 * at, half, true));
  }
  const window = new DataView(record.window.buffer, record.window.byteOffset, WINDOW_SIZE);
  for (const [i, quad] of (given.memory ?? []).entries()) {
    window.setBigUint64(POINT - WINDOW_BASE + 8 * i, quad, true);
  }
  return record;
}
