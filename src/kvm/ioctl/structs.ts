/**
 * Structures of KVM's ioctls as Linux lays them out: how they travel in facts, so that whoever reads one needs
 * no description but Linux's. include/uapi/linux/kvm.h, arch/x86/include/uapi/asm/kvm.h.
 */
import type { CpuidEntry, MsrFilter, MsrList, Regs, Sregs } from './ioctls.ts';
import type { Segment } from '../../x86/guest.ts';
import type { GsiRoutingEntry } from '../irqchip/routes.ts';

/** Names of unsigned members in order, each of a width in bytes. */
type Members<K extends string> = readonly (readonly [name: K, width: 1 | 2 | 4 | 8])[];

type Numbers<K extends string> = Readonly<Record<K, number>>;

const sizeOf = (members: Members<string>): number => members.reduce((sum, [, width]) => sum + width, 0);

function putNumber(view: DataView, at: number, width: number, value: number): void {
  if (width === 8) view.setBigUint64(at, BigInt(value), true);
  else if (width === 4) view.setUint32(at, value, true);
  else if (width === 2) view.setUint16(at, value, true);
  else view.setUint8(at, value);
}

function getNumber(view: DataView, at: number, width: number): number {
  if (width === 8) return Number(view.getBigUint64(at, true));
  if (width === 4) return view.getUint32(at, true);
  return width === 2 ? view.getUint16(at, true) : view.getUint8(at);
}

function put<K extends string>(view: DataView, at: number, members: Members<K>, from: Numbers<K>): void {
  let offset = at;
  for (const [name, width] of members) {
    putNumber(view, offset, width, from[name]);
    offset += width;
  }
}

function get<K extends string>(view: DataView, at: number, members: Members<K>): Record<K, number> {
  let offset = at;
  const result = {} as Record<K, number>;
  for (const [name, width] of members) {
    result[name] = getNumber(view, offset, width);
    offset += width;
  }
  return result;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** struct kvm_pic_state. */
const PIC = [
  ['lastIrr', 1],
  ['irr', 1],
  ['imr', 1],
  ['isr', 1],
  ['priorityAdd', 1],
  ['irqBase', 1],
  ['readRegSelect', 1],
  ['poll', 1],
  ['specialMask', 1],
  ['initState', 1],
  ['autoEoi', 1],
  ['rotateOnAutoEoi', 1],
  ['specialFullyNested', 1],
  ['init4', 1],
  ['elcr', 1],
  ['elcrMask', 1],
] as const;

/** Registers of one 8259A. */
export type PicRegisters = Record<(typeof PIC)[number][0], number>;

export function packPic(registers: Readonly<PicRegisters>): Uint8Array {
  const bytes = new Uint8Array(sizeOf(PIC));
  put(viewOf(bytes), 0, PIC, registers);
  return bytes;
}

export const unpackPic = (bytes: Uint8Array): PicRegisters => get(viewOf(bytes), 0, PIC);

/** struct kvm_ioapic_state; the padding is a member. */
const IOAPIC = [
  ['baseAddress', 8],
  ['ioregsel', 4],
  ['id', 4],
  ['irr', 4],
  ['pad', 4],
] as const;
const PINS = 24;

/** Registers of the IOAPIC. */
export interface IoapicRegisters {
  baseAddress: number;
  ioregsel: number;
  id: number;
  irr: number;
  redirtbl: bigint[];
}

export function packIoapic(registers: Readonly<IoapicRegisters>): Uint8Array {
  const head = sizeOf(IOAPIC);
  const bytes = new Uint8Array(head + 8 * PINS);
  const view = viewOf(bytes);
  put(view, 0, IOAPIC, { ...registers, pad: 0 });
  registers.redirtbl.forEach((entry, pin) => view.setBigUint64(head + 8 * pin, entry, true));
  return bytes;
}

export function unpackIoapic(bytes: Uint8Array): IoapicRegisters {
  const view = viewOf(bytes);
  const { baseAddress, ioregsel, id, irr } = get(view, 0, IOAPIC);
  const head = sizeOf(IOAPIC);
  const redirtbl = Array.from({ length: PINS }, (_, pin) => view.getBigUint64(head + 8 * pin, true));
  return { baseAddress, ioregsel, id, irr, redirtbl };
}

/** struct kvm_pit_channel_state. */
const PIT_CHANNEL = [
  ['count', 4],
  ['latchedCount', 2],
  ['countLatched', 1],
  ['statusLatched', 1],
  ['status', 1],
  ['readState', 1],
  ['writeState', 1],
  ['writeLatch', 1],
  ['rwMode', 1],
  ['mode', 1],
  ['bcd', 1],
  ['gate', 1],
  ['countLoadTime', 8],
] as const;
const PIT_SIZE = 112;

/** Registers of the PIT: struct kvm_pit_state2. */
export interface PitRegisters {
  channels: Record<(typeof PIT_CHANNEL)[number][0], number>[];
  flags: number;
}

export function packPit({ channels, flags }: Readonly<PitRegisters>): Uint8Array {
  const bytes = new Uint8Array(PIT_SIZE);
  const view = viewOf(bytes);
  const size = sizeOf(PIT_CHANNEL);
  channels.forEach((channel, index) => put(view, size * index, PIT_CHANNEL, channel));
  view.setUint32(3 * size, flags, true);
  return bytes;
}

export function unpackPit(bytes: Uint8Array): PitRegisters {
  const view = viewOf(bytes);
  const size = sizeOf(PIT_CHANNEL);
  const channels = [0, 1, 2].map((index) => get(view, size * index, PIT_CHANNEL));
  return { channels, flags: view.getUint32(3 * size, true) };
}

/** struct kvm_cpuid_entry2. */
const CPUID = [
  ['function', 4],
  ['index', 4],
  ['flags', 4],
  ['eax', 4],
  ['ebx', 4],
  ['ecx', 4],
  ['edx', 4],
] as const;
const CPUID_SIZE = 40;

export function packCpuid(entries: readonly CpuidEntry[]): Uint8Array {
  const bytes = new Uint8Array(CPUID_SIZE * entries.length);
  entries.forEach((entry, index) => put(viewOf(bytes), CPUID_SIZE * index, CPUID, entry));
  return bytes;
}

export function unpackCpuid(bytes: Uint8Array): CpuidEntry[] {
  const count = Math.floor(bytes.length / CPUID_SIZE);
  return Array.from({ length: count }, (_, index) => get(viewOf(bytes), CPUID_SIZE * index, CPUID));
}

/** struct kvm_irq_routing_entry: gsi, type, flags, padding, then a union of 32 bytes. */
const ROUTE_SIZE = 48;
const ROUTE_IRQCHIP = 1;
const ROUTE_MSI = 2;

export function packRoutes(entries: readonly GsiRoutingEntry[]): Uint8Array {
  const bytes = new Uint8Array(ROUTE_SIZE * entries.length);
  const view = viewOf(bytes);
  entries.forEach((entry, index) => {
    const at = ROUTE_SIZE * index;
    view.setUint32(at, entry.gsi, true);
    view.setUint32(at + 4, entry.type === 'msi' ? ROUTE_MSI : ROUTE_IRQCHIP, true);
    const union = entry.type === 'msi' ? [entry.addressLow, entry.addressHigh, entry.data] : [entry.irqchip, entry.pin];
    union.forEach((word, place) => view.setUint32(at + 16 + 4 * place, word, true));
  });
  return bytes;
}

export function unpackRoutes(bytes: Uint8Array): GsiRoutingEntry[] {
  const view = viewOf(bytes);
  return Array.from({ length: Math.floor(bytes.length / ROUTE_SIZE) }, (_, index) => {
    const word = (at: number): number => view.getUint32(ROUTE_SIZE * index + at, true);
    return word(4) === ROUTE_MSI
      ? { gsi: word(0), type: 'msi', addressLow: word(16), addressHigh: word(20), data: word(24) }
      : { gsi: word(0), type: 'irqchip', irqchip: word(16), pin: word(20) };
  });
}

/** struct kvm_msr_entry: index, reserved, data. */
export function packMsrs(entries: MsrList['entries']): Uint8Array {
  const bytes = new Uint8Array(16 * entries.length);
  const view = viewOf(bytes);
  entries.forEach(({ index, data }, place) => {
    view.setUint32(16 * place, index, true);
    view.setBigUint64(16 * place + 8, BigInt.asUintN(64, data), true);
  });
  return bytes;
}

/** Ranges of struct kvm_msr_filter: flags, nmsrs, base and bytes of the bitmap, which follows instead of a pointer. */
export function packMsrRanges(ranges: MsrFilter['ranges']): Uint8Array {
  const bytes = new Uint8Array(ranges.reduce((sum, { bitmap }) => sum + 16 + bitmap.length, 0));
  const view = viewOf(bytes);
  let at = 0;
  for (const { flags, nmsrs, base, bitmap } of ranges) {
    [flags, nmsrs, base, bitmap.length].forEach((word, place) => view.setUint32(at + 4 * place, word, true));
    bytes.set(bitmap, at + 16);
    at += 16 + bitmap.length;
  }
  return bytes;
}

export function unpackMsrRanges(bytes: Uint8Array): MsrFilter['ranges'] {
  const view = viewOf(bytes);
  const ranges: MsrFilter['ranges'] = [];
  for (let at = 0; at + 16 <= bytes.length; ) {
    const [flags = 0, nmsrs = 0, base = 0, length = 0] = [0, 4, 8, 12].map((place) => view.getUint32(at + place, true));
    ranges.push({ flags, nmsrs, base, bitmap: bytes.slice(at + 16, at + 16 + length) });
    at += 16 + length;
  }
  return ranges;
}

const REGS = [
  'rax',
  'rbx',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'rsp',
  'rbp',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
  'rip',
  'rflags',
] as const satisfies readonly (keyof Regs)[];

/** struct kvm_regs. */
export function packRegs(regs: Regs): Uint8Array {
  const bytes = new Uint8Array(8 * REGS.length);
  const view = viewOf(bytes);
  REGS.forEach((name, index) => view.setBigUint64(8 * index, BigInt.asUintN(64, regs[name]), true));
  return bytes;
}

const SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const;
const SEGMENT_SIZE = 24;
const CONTROLS = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'] as const;
const SREGS2_SIZE = 320;

/** struct kvm_sregs2. A descriptor table's limit takes the padding behind it. */
export function packSregs(sregs: Sregs): Uint8Array {
  const bytes = new Uint8Array(SREGS2_SIZE);
  const view = viewOf(bytes);
  SEGMENTS.forEach((name, index) => putSegment(view, SEGMENT_SIZE * index, sregs[name]));
  const tables = SEGMENT_SIZE * SEGMENTS.length;
  [sregs.gdt, sregs.idt].forEach(({ base, limit }, index) => {
    view.setBigUint64(tables + 16 * index, BigInt.asUintN(64, base), true);
    view.setUint32(tables + 16 * index + 8, limit, true);
  });
  CONTROLS.forEach((name, index) => {
    view.setBigUint64(tables + 32 + 8 * index, BigInt.asUintN(64, BigInt(sregs[name])), true);
  });
  return bytes;
}

/** struct kvm_segment from VMX access rights: type, present, dpl, db, s, l, g, avl, unusable. */
function putSegment(view: DataView, at: number, { selector, base, limit, access }: Segment): void {
  view.setBigUint64(at, BigInt.asUintN(64, base), true);
  view.setUint32(at + 8, limit, true);
  view.setUint16(at + 12, selector, true);
  const bit = (position: number): number => (access >>> position) & 1;
  const attributes = [access & 15, bit(7), (access >>> 5) & 3, bit(14), bit(4), bit(13), bit(15), bit(12), bit(16)];
  attributes.forEach((value, index) => view.setUint8(at + 14 + index, value));
}
