import type { Ns, Seq, Tick } from '../base/units.ts';
import { linearRipOf } from '../machine/guest-view.ts';
import type { Registers } from '../x86/guest.ts';
import { MSR } from '../x86/msrs.ts';
import { GPR } from '../x86/registers.ts';

/** What registers of our own show: where in the run the machine stands. */
export interface Moment {
  /** Sequence number of the next event. */
  readonly seq: Seq;
  /** Instructions retired. */
  readonly tick: Tick;
  /** Virtual nanoseconds since power-on. */
  readonly ns: Ns;
}

/** One vCPU as it is read for gdb. The XSAVE area is asked for once. */
export interface RegisterView {
  readonly registers: Registers;
  readonly area: DataView;
  readonly moment: Moment;
}

/** One register of the target description. */
export interface RegisterRow {
  readonly name: string;
  readonly bits: 32 | 64 | 80 | 128;
  readonly type: string;
  readonly feature: Feature;
  readonly group?: string;
  /** Ours: not the guest's. */
  readonly isPseudo?: boolean;
  /** What an intervention changes for it: a register by name, or bytes of the XSAVE area. Absent: not written. */
  readonly written?: string | number;
  readonly read: (view: RegisterView) => bigint;
}

/** Features of the target description, in their order. */
export const FEATURES = {
  core: 'org.gnu.gdb.i386.core',
  sse: 'org.gnu.gdb.i386.sse',
  segments: 'org.gnu.gdb.i386.segments',
  system: 'org.retrovisor.x86.system',
} as const;

type Feature = keyof typeof FEATURES;

const ST_AREA = 32;
const XMM_AREA = 160;

/** In gdb's order; the number is the hardware's. */
const GENERAL: readonly (readonly [string, number])[] = [
  ['rax', GPR.RAX],
  ['rbx', GPR.RBX],
  ['rcx', GPR.RCX],
  ['rdx', GPR.RDX],
  ['rsi', GPR.RSI],
  ['rdi', GPR.RDI],
  ['rbp', GPR.RBP],
  ['rsp', GPR.RSP],
  ['r8', 8],
  ['r9', 9],
  ['r10', 10],
  ['r11', 11],
  ['r12', 12],
  ['r13', 13],
  ['r14', 14],
  ['r15', 15],
];
const SEGMENTS: readonly (readonly [string, number])[] = [
  ['cs', 1],
  ['ss', 2],
  ['ds', 3],
  ['es', 0],
  ['fs', 4],
  ['gs', 5],
];

const general = GENERAL.map(
  ([name, index]): RegisterRow => ({
    name,
    bits: 64,
    type: name === 'rbp' || name === 'rsp' ? 'data_ptr' : 'int64',
    feature: 'core',
    written: name,
    read: ({ registers }) => registers.gpr(index),
  }),
);

const segments = SEGMENTS.map(
  ([name, index]): RegisterRow => ({
    name,
    bits: 32,
    type: 'int32',
    feature: 'core',
    read: ({ registers }) => BigInt(registers.segment(index).selector),
  }),
);

const eight = [0, 1, 2, 3, 4, 5, 6, 7] as const;

const x87 = eight.map(
  (index): RegisterRow => ({
    name: `st${index}`,
    bits: 80,
    type: 'i387_ext',
    feature: 'core',
    written: ST_AREA + 16 * index,
    read: ({ area }) => stackRegister(area, index),
  }),
);

function stackRegister(area: DataView, index: number): bigint {
  const at = ST_AREA + 16 * index;
  return (BigInt(area.getUint16(at + 8, true)) << 64n) | area.getBigUint64(at, true);
}

/** The tag word of FSTENV out of FXSAVE's one bit for each register. SDM Vol. 1, table 10-2 (10.5.1.1). */
function tagWord(area: DataView): bigint {
  const top = (area.getUint16(2, true) >> 11) & 7;
  let word = 0;
  for (const physical of eight) {
    const isUsed = ((area.getUint8(4) >> physical) & 1) === 1;
    word |= (isUsed ? tagOf(stackRegister(area, (physical - top) & 7)) : 3) << (2 * physical);
  }
  return BigInt(word);
}

function tagOf(value: bigint): number {
  const exponent = (value >> 64n) & 0x7fffn;
  const mantissa = value & 0xffff_ffff_ffff_ffffn;
  if (exponent === 0n) return mantissa === 0n ? 1 : 2;
  return exponent === 0x7fffn || mantissa >> 63n === 0n ? 2 : 0;
}

const control = (name: string, read: (area: DataView) => bigint): RegisterRow => ({
  name,
  bits: 32,
  type: 'int',
  feature: 'core',
  group: 'float',
  read: ({ area }) => read(area),
});

const x87Control: readonly RegisterRow[] = [
  control('fctrl', (area) => BigInt(area.getUint16(0, true))),
  control('fstat', (area) => BigInt(area.getUint16(2, true))),
  control('ftag', tagWord),
  control('fiseg', (area) => BigInt(area.getUint16(12, true))),
  control('fioff', (area) => BigInt(area.getUint32(8, true))),
  control('foseg', (area) => BigInt(area.getUint16(20, true))),
  control('fooff', (area) => BigInt(area.getUint32(16, true))),
  control('fop', (area) => BigInt(area.getUint16(6, true))),
];

const xmm = Array.from(
  { length: 16 },
  (_, index): RegisterRow => ({
    name: `xmm${index}`,
    bits: 128,
    type: 'vec128',
    feature: 'sse',
    written: XMM_AREA + 16 * index,
    read: ({ area }) => {
      const at = XMM_AREA + 16 * index;
      return (area.getBigUint64(at + 8, true) << 64n) | area.getBigUint64(at, true);
    },
  }),
);

/** System registers an intervention knows. */
const WRITTEN = new Set(['k_gs_base', 'cr0', 'cr2', 'cr3', 'cr4', 'efer']);

const system = (name: string, type: string, read: (registers: Registers) => bigint): RegisterRow => ({
  ...(WRITTEN.has(name) ? { written: name } : {}),
  name,
  bits: 64,
  type,
  feature: 'system',
  group: 'system',
  read: ({ registers }) => read(registers),
});

const pseudo = (name: string, type: string, read: (view: RegisterView) => bigint): RegisterRow => ({
  name,
  bits: 64,
  type,
  feature: 'system',
  group: 'system',
  isPseudo: true,
  read,
});

const base = (name: string, msr: number): RegisterRow => ({
  name,
  bits: 64,
  type: 'int',
  feature: 'segments',
  written: name,
  read: ({ registers }) => registers.msr(msr) ?? 0n,
});

/** Every register in the order of the `g` packet. To add one, add its row at the end of its feature. */
export const REGISTERS: readonly RegisterRow[] = [
  ...general,
  { name: 'rip', bits: 64, type: 'code_ptr', feature: 'core', written: 'rip', read: ({ registers }) => registers.rip },
  {
    name: 'eflags',
    bits: 32,
    type: 'x86_eflags',
    feature: 'core',
    written: 'rflags',
    read: ({ registers }) => registers.rflags,
  },
  ...segments,
  ...x87,
  ...x87Control,
  ...xmm,
  {
    name: 'mxcsr',
    bits: 32,
    type: 'x86_mxcsr',
    feature: 'sse',
    group: 'vector',
    written: 24,
    read: ({ area }) => BigInt(area.getUint32(24, true)),
  },
  base('fs_base', MSR.FS_BASE),
  base('gs_base', MSR.GS_BASE),
  system('k_gs_base', 'int64', (registers) => registers.msr(MSR.KERNEL_GS_BASE) ?? 0n),
  system('cr0', 'x86_cr0', (registers) => registers.cr0),
  system('cr2', 'data_ptr', (registers) => registers.cr2),
  system('cr3', 'int64', (registers) => registers.cr3),
  system('cr4', 'x86_cr4', (registers) => registers.cr4),
  system('cr8', 'int64', (registers) => BigInt(registers.cr8)),
  system('efer', 'x86_efer', (registers) => registers.efer),
  system('gdtr_base', 'data_ptr', (registers) => registers.gdtr.base),
  system('idtr_base', 'data_ptr', (registers) => registers.idtr.base),
  pseudo('evseq', 'int64', ({ moment }) => BigInt(moment.seq)),
  pseudo('icount', 'int64', ({ moment }) => BigInt(moment.tick)),
  pseudo('vtime', 'int64', ({ moment }) => BigInt(moment.ns)),
  pseudo('pc_linear', 'code_ptr', ({ registers }) => linearRipOf(registers)),
];

/** Look at a vCPU. */
export function registerView(registers: Registers, moment: Moment): RegisterView {
  const area = registers.xsave();
  return { registers, area: new DataView(area.buffer, area.byteOffset, area.byteLength), moment };
}

/** A value of so many bits as gdb's hexadecimal digits, little-endian. */
export function targetHex(value: bigint, bits: number): string {
  const digits = BigInt.asUintN(bits, value)
    .toString(16)
    .padStart(bits / 4, '0');
  let text = '';
  for (let at = digits.length - 2; at >= 0; at -= 2) text += digits.slice(at, at + 2);
  return text;
}

/** One register by its number, for `p` and for expedited registers. */
export function registerHex(view: RegisterView, number: number): string | undefined {
  const row = REGISTERS[number];
  return row === undefined ? undefined : targetHex(row.read(view), row.bits);
}

/** All registers, for `g`. */
export const allRegistersHex = (view: RegisterView): string =>
  REGISTERS.map((row) => targetHex(row.read(view), row.bits)).join('');
