import { codeModeOf, deriveSegments } from './mode.ts';
import * as L from './layout.ts';
import type { EngineMemory } from './memory.ts';
import { ACCESS, CR0, EFER, GPR, RFLAGS, SEG } from '../../x86/registers.ts';

const STATUS = RFLAGS.CF | RFLAGS.PF | RFLAGS.AF | RFLAGS.ZF | RFLAGS.SF | RFLAGS.OF;
/** Those that are not held lazily. */
const FLAG_BITS_REST = RFLAGS.ALL & ~STATUS;

/** Registers of the selected vCPU as TypeScript needs them: numbers where they fit, bigint where not. */
export class CpuState {
  readonly memory: EngineMemory;
  /** RDTSC exits or must be checked. */
  tscExits = false;

  constructor(memory: EngineMemory) {
    this.memory = memory;
  }

  gpr(index: number): bigint {
    return this.memory.u64[(L.GPR >>> 3) + index] as bigint;
  }
  setGpr(index: number, value: bigint): void {
    this.memory.u64[(L.GPR >>> 3) + index] = value;
  }
  gpr32(index: number): number {
    return this.memory.u32[(L.GPR >>> 2) + 2 * index] as number;
  }
  setGpr32(index: number, value: number): void {
    this.memory.u32[(L.GPR >>> 2) + 2 * index] = value;
    this.memory.u32[(L.GPR >>> 2) + 2 * index + 1] = 0;
  }
  /** RCX by address size, for REP. */
  counter(addressSize: number): bigint {
    return BigInt.asUintN(8 * addressSize, this.gpr(GPR.RCX));
  }
  /** AL, AX or EAX. */
  setAccumulator(size: number, value: bigint): void {
    const { view } = this.memory;
    if (size === 1) view.setUint8(L.GPR, Number(value & 0xffn));
    else if (size === 2) view.setUint16(L.GPR, Number(value & 0xffffn), true);
    else view.setBigUint64(L.GPR, value & 0xffff_ffffn, true);
  }
  get rip(): bigint {
    return this.memory.read64(L.RIP);
  }
  set rip(value: bigint) {
    this.memory.write64(L.RIP, value);
  }
  /** RIP goes on by so many bytes. */
  advanceRip(length: number): void {
    this.ripFrom(L.RIP, length);
  }
  /**
   * RIP becomes what lies at an address of the layout, and so many bytes more. By halves: a bigint is dear where a
   * guest does nothing but exit.
   */
  ripFrom(address: number, bytes: number): void {
    const { memory } = this;
    const low = memory.read32(address) + bytes;
    if (low >= 2 ** 32) {
      this.rip = BigInt.asUintN(64, memory.read64(address) + BigInt(bytes)) & memory.read64(L.RIP_MASK);
      return;
    }
    memory.write32(L.RIP, low & memory.read32(L.RIP_MASK));
    memory.write32(L.RIP + 4, memory.read32(address + 4) & memory.read32(L.RIP_MASK + 4));
  }

  /** RFLAGS with the lazily held status flags worked out. */
  get rflags(): number {
    const { memory } = this;
    const low = memory.read32(L.FLAG_CIN);
    const high = memory.read32(L.FLAG_CIN + 4);
    const resultLow = memory.read32(L.FLAG_RESULT);
    const resultHigh = memory.read32(L.FLAG_RESULT + 4);
    const cf = memory.read32(L.FLAG_CF);
    const pf = (memory.u8[L.PARITY + (resultLow & 0xff)] as number) ^ (low & 1);
    const af = (low >>> 4) & 1;
    const zf = resultLow === 0 && resultHigh === 0 ? 1 : 0;
    const sf = (resultHigh >>> 31) ^ ((low >>> 1) & 1);
    const of = (high >>> 31) ^ cf;
    const rest = memory.read32(L.FLAGS_REST);
    return rest | 2 | cf | (pf << 2) | (af << 4) | (zf << 6) | (sf << 7) | (of << 11);
  }
  set rflags(value: number) {
    const { memory } = this;
    const bit = (n: number): number => (value >>> n) & 1;
    const zf = bit(6);
    memory.write32(L.FLAG_RESULT, zf ^ 1);
    memory.write32(L.FLAG_RESULT + 4, 0);
    // The natural parity flag of the stored result equals ZF, its sign is 0.
    memory.write32(L.FLAG_CIN, (bit(2) ^ zf) | (bit(7) << 1) | (bit(4) << 4));
    memory.write32(L.FLAG_CIN + 4, (bit(11) ^ bit(0)) << 31);
    memory.write32(L.FLAG_CF, bit(0));
    memory.write32(L.FLAGS_REST, (value & FLAG_BITS_REST) | 2);
  }
  /** Change only the status flags in `mask`. */
  setStatus(value: number, mask = STATUS): void {
    this.rflags = (this.rflags & ~mask) | (value & mask);
  }
  flag(bit: number): boolean {
    return (this.memory.read32(L.FLAGS_REST) & bit) !== 0;
  }
  clearFlag(bit: number): void {
    this.memory.write32(L.FLAGS_REST, this.memory.read32(L.FLAGS_REST) & ~bit);
  }

  selector(segment: number): number {
    return this.memory.read32(L.SEG_SELECTOR + 4 * segment);
  }
  base(segment: number): bigint {
    return this.memory.read64(L.SEG_BASE + 8 * segment);
  }
  limit(segment: number): number {
    return this.memory.read32(L.SEG_LIMIT + 4 * segment);
  }
  access(segment: number): number {
    return this.memory.read32(L.SEG_ACCESS + 4 * segment);
  }
  setSegment(segment: number, selector: number, base: bigint, limit: number, access: number): void {
    const { memory } = this;
    memory.write32(L.SEG_SELECTOR + 4 * segment, selector);
    memory.write64(L.SEG_BASE + 8 * segment, base);
    memory.write32(L.SEG_LIMIT + 4 * segment, limit);
    memory.write32(L.SEG_ACCESS + 4 * segment, access);
  }

  get cpl(): number {
    return this.memory.read32(L.CPL);
  }
  set cpl(value: number) {
    this.memory.write32(L.CPL, value);
  }
  get cr0(): number {
    return this.memory.read32(L.CR0);
  }
  get cr4(): number {
    return this.memory.read32(L.CR4);
  }
  get efer(): number {
    return this.memory.read32(L.EFER);
  }
  get protectedMode(): boolean {
    return (this.cr0 & CR0.PE) !== 0;
  }
  get virtual8086(): boolean {
    return this.flag(RFLAGS.VM);
  }
  get longMode(): boolean {
    return (this.efer & EFER.LMA) !== 0;
  }
  get code64(): boolean {
    return this.longMode && (this.access(SEG.CS) & ACCESS.LONG) !== 0;
  }
  /** Width of code in bits. */
  get codeBits(): 16 | 32 | 64 {
    if (this.code64) return 64;
    return (this.access(SEG.CS) & ACCESS.BIG) !== 0 ? 32 : 16;
  }
  get iopl(): number {
    return (this.memory.read32(L.FLAGS_REST) >>> 12) & 3;
  }

  /** Code mode for decoding; also refreshes what is derived from the segments. */
  derive(): number {
    deriveSegments(this.memory);
    return codeModeOf(this.memory, this.tscExits);
  }
}
