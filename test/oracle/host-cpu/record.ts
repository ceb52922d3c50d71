/**
 * One test case as bytes: the state before an instruction, and after it the same record holds the state after.
 * helper.c has the same layout as a C struct.
 */

/** Operand and address size of the code segment: protected mode 16 and 32 bits, long mode. */
export type Bitness = 16 | 32 | 64;

/** What the mode byte says, in order. */
const MODES: readonly Bitness[] = [64, 32, 16];

export const RECORD_SIZE = 1216;
export const DATA_BASE = 0x200000;
export const DATA_SIZE = 0x2000;
/** 512 bytes around a page boundary that the case may read and write. */
export const WINDOW_BASE = 0x200f00;
export const WINDOW_SIZE = 512;
export const CODE_BASE = 0x300000;
/** Where the instruction lies; the rest of its page is INT3. */
export const ENTRY = 0x300800;
export const INT3 = 3;
/** What the helper says in the place of a vector: the case did not end, needs segments there are none of, killed it. */
export const HUNG = 255;
export const NO_SEGMENTS = 254;
export const DIED = 253;
/** Bases of the 16-bit segments: everything else is flat. */
export const CODE_BASE_16 = 0x300000;
export const DATA_BASE_16 = 0x1f8000;

/** A linear data address as an offset of the mode's data segments. */
export const dataOffset = (linear: number, bitness: Bitness): number =>
  bitness === 16 ? linear - DATA_BASE_16 : linear;

/** A linear code address as an offset of the mode's code segment. */
export const codeOffset = (linear: number, bitness: Bitness): number =>
  bitness === 16 ? linear - CODE_BASE_16 : linear;

const GPR = 32;
const RFLAGS = 160;
const RIP = 168;
const VECTOR = 176;
const ERROR = 180;
const CR2 = 184;
const FX = 192;
const WINDOW = 704;

/** Offsets inside the FXSAVE image. SDM Vol. 1, Table 10-2. */
export const FXSAVE = { fcw: 0, fsw: 2, ftw: 4, mxcsr: 24, st: 32, xmm: 160 } as const;

/** Where the code segment of a case may end at most: all of it is INT3 but the case. */
export const CODE_SIZE = 0x20000;

const LIMIT = 4;

/** A view of one record. */
export class CaseRecord {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array = new Uint8Array(RECORD_SIZE)) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_SIZE);
  }

  get bitness(): Bitness {
    return MODES[this.bytes[1]!]!;
  }

  get code(): Uint8Array {
    return this.bytes.subarray(16, 16 + this.bytes[0]!);
  }

  setCode(code: Uint8Array, bitness: Bitness): void {
    this.bytes[0] = code.length;
    this.bytes[1] = MODES.indexOf(bitness);
    this.bytes.set(code, 16);
  }

  /** The case runs in a code segment of its own, which begins at CODE_BASE and ends here; 0: in the usual one. */
  get codeLimit(): number {
    return this.view.getUint32(LIMIT, true);
  }

  set codeLimit(value: number) {
    this.view.setUint32(LIMIT, value, true);
  }

  gpr(index: number): bigint {
    return this.view.getBigUint64(GPR + index * 8, true);
  }

  setGpr(index: number, value: bigint): void {
    this.view.setBigUint64(GPR + index * 8, BigInt.asUintN(64, value), true);
  }

  get rflags(): number {
    return this.view.getUint32(RFLAGS, true);
  }

  set rflags(value: number) {
    this.view.setUint32(RFLAGS, value >>> 0, true);
  }

  get rip(): bigint {
    return this.view.getBigUint64(RIP, true);
  }

  set rip(value: bigint) {
    this.view.setBigUint64(RIP, value, true);
  }

  /** Exception vector that ended the case; 3 is the INT3 behind it: no exception of its own. */
  get vector(): number {
    return this.view.getUint32(VECTOR, true);
  }

  set vector(value: number) {
    this.view.setUint32(VECTOR, value, true);
  }

  get errorCode(): number {
    return this.view.getUint32(ERROR, true);
  }

  set errorCode(value: number) {
    this.view.setUint32(ERROR, value, true);
  }

  get cr2(): bigint {
    return this.view.getBigUint64(CR2, true);
  }

  set cr2(value: bigint) {
    this.view.setBigUint64(CR2, value, true);
  }

  get fx(): Uint8Array {
    return this.bytes.subarray(FX, FX + 512);
  }

  get window(): Uint8Array {
    return this.bytes.subarray(WINDOW, WINDOW + WINDOW_SIZE);
  }

  copy(): CaseRecord {
    return new CaseRecord(this.bytes.slice());
  }
}
