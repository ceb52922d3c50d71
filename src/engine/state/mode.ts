import * as L from './layout.ts';
import type { EngineMemory } from './memory.ts';
import { ACCESS, CR0, CR4, DATA_SEGMENTS, EFER, RFLAGS, SEG } from '../../x86/registers.ts';

/** What decoding depends on besides the bytes, as bits of one number. */
export const MODE = {
  /** Bits 1:0: 0 = 16-bit code, 1 = 32-bit, 2 = 64-bit. */
  size: 3,
  /** Segment is flat (base 0, limit 4 GiB, readable and writable): es, ss, ds, fs, gs at bit 2 + segment. */
  flat: 2,
  rdtscFast: 1 << 8,
  /** x87 must raise #NM (CR0.EM or CR0.TS). */
  x87Off: 1 << 9,
  /** SSE must raise #UD or #NM. */
  sseOff: 1 << 10,
  /** CR0.TS and CR0.MP: WAIT raises #NM. */
  waitOff: 1 << 11,
  /** The code segment ends in the page: each instruction is looked up by itself. */
  bounded: 1 << 12,
  /** Bits 14:13, where the code segment ends: see CODE_REACH. */
  reach: 13,
} as const;

/** How far the code segment reaches. */
export const CODE_REACH = {
  /** 4 GiB, or 64-bit code: every target of 32 bits is in it. */
  all: 0,
  /** At most 64 KiB: a page that lies in it as a whole has no target that IP would cut. */
  word: 1,
  between: 2,
} as const;

/** The code segment's reach in a code mode. */
export const reachOf = (mode: number): number => (mode >>> MODE.reach) & 3;

const { CODE, PRESENT, UNUSABLE } = ACCESS;
const WRITABLE_DATA = ACCESS.WRITABLE;
/** The segments that make addresses of data. */
const NOT_CODE = [SEG.SS, ...DATA_SEGMENTS];
/** With any of them x87 instructions fault, and SSE ones too. */
const OFF = CR0.EM | CR0.TS;
/** With both of them so does WAIT. */
const WAITS = CR0.MP | CR0.TS;

/** Bits of the code mode that come from the segment registers, CR0, CR4 and EFER. */
export function codeModeOf(memory: EngineMemory, tscExits: boolean): number {
  const cs = memory.read32(L.SEG_ACCESS + 4 * SEG.CS);
  const long = (memory.read32(L.EFER) & EFER.LMA) !== 0;
  const is64 = long && (cs & ACCESS.LONG) !== 0;
  let mode = is64 ? 2 : (cs & ACCESS.BIG) !== 0 ? 1 : 0;
  if (!is64) {
    for (const segment of NOT_CODE) if (isFlat(memory, segment)) mode |= 1 << (MODE.flat + segment);
    const limit = memory.read32(L.SEG_LIMIT + 4 * SEG.CS);
    const { all, word, between } = CODE_REACH;
    mode |= (limit === 0xffff_ffff ? all : limit <= 0xffff ? word : between) << MODE.reach;
  }
  const cr4 = memory.read32(L.CR4);
  const cpl = memory.read32(L.CPL);
  if (!tscExits && ((cr4 & CR4.TSD) === 0 || cpl === 0)) mode |= MODE.rdtscFast;
  const cr0 = memory.read32(L.CR0);
  if ((cr0 & OFF) !== 0) mode |= MODE.x87Off;
  if ((cr0 & OFF) !== 0 || (cr4 & CR4.OSFXSR) === 0) mode |= MODE.sseOff;
  if ((cr0 & WAITS) === WAITS) mode |= MODE.waitOff;
  return mode;
}

function isFlat(memory: EngineMemory, segment: number): boolean {
  const access = memory.read32(L.SEG_ACCESS + 4 * segment);
  const usable = (access & (PRESENT | UNUSABLE)) === PRESENT;
  const writable = (access & (WRITABLE_DATA | CODE | 4)) === WRITABLE_DATA;
  const base = memory.read64(L.SEG_BASE + 8 * segment);
  return usable && writable && base === 0n && memory.read32(L.SEG_LIMIT + 4 * segment) === 0xffffffff;
}

/** Recompute what is derived from the segment registers: valid offset ranges, masks, code base. */
export function deriveSegments(memory: EngineMemory): void {
  const long = (memory.read32(L.EFER) & EFER.LMA) !== 0;
  const cs = memory.read32(L.SEG_ACCESS + 4 * SEG.CS);
  const is64 = long && (cs & ACCESS.LONG) !== 0;
  memory.write64(L.RIP_MASK, is64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn);
  memory.write64(L.LINEAR_MASK, is64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn);
  memory.write64(L.CODE_BASE, is64 ? 0n : memory.read64(L.SEG_BASE + 8 * SEG.CS));
  memory.write64(L.CODE_LIMIT, is64 ? 0xffff_ffff_ffff_ffffn : BigInt(memory.read32(L.SEG_LIMIT + 4 * SEG.CS)));
  memory.write64(L.CODE_END, is64 ? 0xffff_ffff_ffff_ffffn : codeEnd(memory));
  const stack32 = (memory.read32(L.SEG_ACCESS + 4 * SEG.SS) & ACCESS.BIG) !== 0;
  memory.write64(L.STACK_MASK, is64 ? 0xffff_ffff_ffff_ffffn : stack32 ? 0xffff_ffffn : 0xffffn);
  const protectedMode = (memory.read32(L.CR0) & CR0.PE) !== 0 && (memory.read32(L.FLAGS_REST) & RFLAGS.VM) === 0;
  for (let segment = 0; segment < 6; segment++) deriveRange(memory, segment, protectedMode);
}

function codeEnd(memory: EngineMemory): bigint {
  const base = memory.read64(L.SEG_BASE + 8 * SEG.CS);
  const end = ((base + BigInt(memory.read32(L.SEG_LIMIT + 4 * SEG.CS)) + 1n) & ~0xfffn) - base;
  return end < 0n ? 0n : end;
}

/** SDM Vol. 3, 5.3 and 5.4: which offsets may be read and written. An empty range has its minimum above its maximum. */
function deriveRange(memory: EngineMemory, segment: number, protectedMode: boolean): void {
  const access = memory.read32(L.SEG_ACCESS + 4 * segment);
  const limit = BigInt(memory.read32(L.SEG_LIMIT + 4 * segment));
  const at = L.SEG_RANGE + 32 * segment;
  let low = 0n;
  let high = limit;
  const isCode = (access & CODE) !== 0;
  let readable = true;
  let writable = true;
  if (protectedMode) {
    if ((access & UNUSABLE) !== 0) readable = writable = false;
    else if (isCode) {
      readable = (access & 2) !== 0;
      writable = false;
    } else {
      writable = (access & WRITABLE_DATA) !== 0;
      if ((access & 4) !== 0) {
        // Expand-down: valid offsets lie above the limit.
        low = limit + 1n;
        high = (access & ACCESS.BIG) !== 0 ? 0xffff_ffffn : 0xffffn;
      }
    }
  }
  memory.write64(at, readable ? low : 1n);
  memory.write64(at + 8, readable ? high : 0n);
  memory.write64(at + 16, writable ? low : 1n);
  memory.write64(at + 24, writable ? high : 0n);
}
