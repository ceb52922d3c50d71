import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { ACCESS, DESCRIPTOR, SEG } from '../../x86/registers.ts';

/** A segment or gate descriptor in memory. SDM Vol. 3, 3.4.5 and 5.8.3. */
export interface Descriptor {
  readonly address: bigint;
  readonly low: number;
  readonly high: number;
  /** Type field, 4 bits. */
  readonly type: number;
  /** S: code or data. */
  readonly isSegment: boolean;
  readonly dpl: number;
  readonly present: boolean;
}

/** Linear address of the descriptor a selector names, or undefined outside its table. */
function descriptorAddress(p: Core, selector: number, bytes: number): bigint | undefined {
  const offset = selector & 0xfff8;
  const { state, memory } = p;
  if ((selector & 4) !== 0) {
    if ((state.access(SEG.LDTR) & (ACCESS.UNUSABLE | ACCESS.PRESENT)) !== ACCESS.PRESENT) return undefined;
    if (offset + bytes - 1 > state.limit(SEG.LDTR)) return undefined;
    return state.base(SEG.LDTR) + BigInt(offset);
  }
  if (offset + bytes - 1 > memory.read32(L.GDTR_LIMIT)) return undefined;
  return memory.read64(L.GDTR_BASE) + BigInt(offset);
}

/** Read a descriptor; `vector` with the selector is raised when it lies outside its table. */
export function readDescriptor(p: Core, selector: number, vector: number = VECTOR.GP, external = 0): Descriptor {
  const address = descriptorAddress(p, selector, 8);
  if (address === undefined) throw new GuestFault(vector, (selector & 0xfffc) | external);
  return p.asSystem(() => {
    const low = p.read(address, 4);
    const high = p.read(address + 4n, 4);
    return {
      address,
      low,
      high,
      type: (high >>> DESCRIPTOR.ACCESS_SHIFT) & ACCESS.TYPE,
      isSegment: (high & DESCRIPTOR.SEGMENT) !== 0,
      dpl: (high >>> DESCRIPTOR.DPL_SHIFT) & 3,
      present: (high & DESCRIPTOR.PRESENT) !== 0,
    };
  });
}

/** The upper 8 bytes of a 16-byte system descriptor in long mode. */
export function readUpperHalf(p: Core, selector: number, d: Descriptor): { low: number; high: number } {
  if (descriptorAddress(p, selector, 16) === undefined) throw new GuestFault(VECTOR.GP, selector & 0xfffc);
  return p.asSystem(() => ({ low: p.read(d.address + 8n, 4), high: p.read(d.address + 12n, 4) }));
}

export function baseOf(d: Descriptor): bigint {
  const { low, high } = d;
  return BigInt(((low >>> 16) | ((high & DESCRIPTOR.BASE_23_16) << 16) | (high & DESCRIPTOR.BASE_31_24)) >>> 0);
}

/** Byte limit with granularity applied. */
export function limitOf(d: Descriptor): number {
  const raw = (d.low & 0xffff) | (d.high & DESCRIPTOR.LIMIT_19_16);
  return ((d.high & DESCRIPTOR.GRANULARITY) !== 0 ? (raw << 12) | 0xfff : raw) >>> 0;
}

/** VMX access rights of a descriptor. SDM Vol. 3, Table 25-2. */
export function accessOf(d: Descriptor): number {
  return (d.high >>> DESCRIPTOR.ACCESS_SHIFT) & 0xf0ff;
}

/** Set the accessed bit of a code or data descriptor in memory. */
export function markAccessed(p: Core, d: Descriptor): void {
  if ((d.high & DESCRIPTOR.ACCESSED) !== 0) return;
  const byte = (d.high >>> DESCRIPTOR.ACCESS_SHIFT) & 0xff;
  p.asSystem(() => p.writeValue(d.address + 5n, 1, BigInt(byte | ACCESS.ACCESSED)));
}

/** Set or clear the busy bit of a TSS descriptor in memory. */
export function setBusy(p: Core, d: Descriptor, busy: boolean): void {
  const byte = (d.high >>> DESCRIPTOR.ACCESS_SHIFT) & 0xff;
  p.asSystem(() => p.writeValue(d.address + 5n, 1, BigInt(busy ? byte | 2 : byte & ~2)));
}

/** Load a data segment register or SS in the current mode. SDM Vol. 2B, MOV. */
export function loadSegment(p: Core, segment: number, selector: number): void {
  const { state } = p;
  if (!state.protectedMode || state.virtual8086) {
    loadRealSegment(p, segment, selector);
    return;
  }
  const loaded = checkSegment(p, segment, selector, state.cpl);
  state.setSegment(segment, selector, loaded.base, loaded.limit, loaded.access);
}

function loadRealSegment(p: Core, segment: number, selector: number): void {
  const { state } = p;
  if (state.virtual8086) {
    state.setSegment(segment, selector, BigInt(selector << 4), 0xffff, 0xf3);
    return;
  }
  // Real mode changes selector and base only; limit and rights stay (unreal mode).
  const access = segment === SEG.CS ? state.access(SEG.CS) : state.access(segment) & ~ACCESS.UNUSABLE;
  state.setSegment(segment, selector, BigInt(selector << 4), state.limit(segment), access);
}

export interface LoadedSegment {
  readonly base: bigint;
  readonly limit: number;
  readonly access: number;
}

/** Protection checks for loading ES SS DS FS GS; returns what goes into the hidden part. */
export function checkSegment(
  p: Core,
  segment: number,
  selector: number,
  cpl: number,
  vector: number = VECTOR.GP,
): LoadedSegment {
  const { state } = p;
  const error = selector & 0xfffc;
  const rpl = selector & 3;
  if (error === 0) {
    if (segment === SEG.SS) {
      // SS may be null only in 64-bit mode below CPL 3 with RPL = CPL.
      if (!(state.code64 && cpl !== 3 && rpl === cpl)) throw new GuestFault(vector, 0);
    }
    // The base stays with FS and GS on processors of this kind: Intel clears it.
    return { base: 0n, limit: 0, access: ACCESS.UNUSABLE | (segment === SEG.SS ? cpl << 5 : 0) };
  }
  const d = readDescriptor(p, selector, vector);
  const isCode = (d.type & ACCESS.CODE) !== 0;
  if (!d.isSegment) throw new GuestFault(vector, error);
  if (segment === SEG.SS) {
    if (isCode || (d.type & ACCESS.WRITABLE) === 0 || rpl !== cpl || d.dpl !== cpl) throw new GuestFault(vector, error);
    if (!d.present) throw new GuestFault(VECTOR.SS, error);
  } else {
    if (isCode && (d.type & ACCESS.READABLE) === 0) throw new GuestFault(vector, error);
    const conforming = isCode && (d.type & ACCESS.CONFORMING) !== 0;
    if (!conforming && (rpl > d.dpl || cpl > d.dpl)) throw new GuestFault(vector, error);
    if (!d.present) throw new GuestFault(VECTOR.NP, error);
  }
  markAccessed(p, d);
  return { base: baseOf(d), limit: limitOf(d), access: accessOf(d) | ACCESS.ACCESSED };
}

/** Put a checked code segment into CS with privilege `cpl`. */
export function enterCode(p: Core, selector: number, d: Descriptor, cpl: number): void {
  markAccessed(p, d);
  p.state.setSegment(SEG.CS, (selector & 0xfffc) | cpl, baseOf(d), limitOf(d), accessOf(d) | ACCESS.ACCESSED);
  p.state.cpl = cpl;
}

/** A code descriptor is 64-bit in long mode: L set, D clear. */
export const isLongCode = (d: Descriptor): boolean => (d.high & DESCRIPTOR.LONG) !== 0;
