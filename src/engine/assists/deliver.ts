import { EXIT } from '../../x86/exit-reasons.ts';
import { GuestFault, VECTOR, vmExit, GuestExit } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import { type GuestEvent, interruptionInfo } from '../core/event.ts';
import type { Core } from '../core/core.ts';
import {
  accessOf,
  baseOf,
  type Descriptor,
  enterCode,
  isLongCode,
  limitOf,
  markAccessed,
  readDescriptor,
} from './descriptor.ts';
import { ACCESS, DATA_SEGMENTS, DESCRIPTOR, GPR, RFLAGS, SEG } from '../../x86/registers.ts';

const { AC, IF, NT, RF, TF, VM } = RFLAGS;

/** Deliver one event through the IDT, SDM Vol. 3, 6.12 and 6.14. Throws with nothing changed. */
export function deliver(p: Core, event: GuestEvent): void {
  const { state } = p;
  const isSoftware =
    event.type === 'soft-interrupt' || event.type === 'soft-exception' || event.type === 'privileged-exception';
  const returnRip = isSoftware ? state.rip + BigInt(event.length) : state.rip;
  if (!state.protectedMode) deliverReal(p, event.vector, returnRip);
  else if (state.longMode) deliverLong(p, event, isSoftware, returnRip);
  else deliverProtected(p, event, isSoftware, returnRip);
  p.endShadow();
  if (event.type === 'nmi') p.memory.write32(L.INTERRUPTIBILITY, p.memory.read32(L.INTERRUPTIBILITY) | 8);
}

function deliverReal(p: Core, vector: number, returnRip: bigint): void {
  const { state, memory } = p;
  if (vector * 4 + 3 > memory.read32(L.IDTR_LIMIT)) throw new GuestFault(VECTOR.GP, 0);
  const at = memory.read64(L.IDTR_BASE) + BigInt(vector * 4);
  const offset = p.read(at & 0xffff_ffffn, 2);
  const selector = p.read((at + 2n) & 0xffff_ffffn, 2);
  // Real mode leaves the limit of CS as it is.
  if (offset > state.limit(SEG.CS)) throw new GuestFault(VECTOR.GP, 0);
  const sp = Number(state.gpr(GPR.RSP) & 0xffffn);
  const frame = [Number(returnRip & 0xffffn), state.selector(SEG.CS), state.rflags & 0xffff];
  frame.forEach((value, i) => {
    const to = BigInt((sp - 6 + 2 * i) & 0xffff);
    p.writeValue(p.linear(SEG.SS, to, 2, true), 2, BigInt(value));
  });
  state.setGpr(GPR.RSP, (state.gpr(GPR.RSP) & ~0xffffn) | BigInt((sp - 6) & 0xffff));
  clearFlags(p, IF | TF | AC | RF);
  state.setSegment(SEG.CS, selector, BigInt(selector << 4), state.limit(SEG.CS), state.access(SEG.CS));
  state.rip = BigInt(offset);
}

function clearFlags(p: Core, bits: number): void {
  p.memory.write32(L.FLAGS_REST, p.memory.read32(L.FLAGS_REST) & ~bits);
}

interface Gate {
  readonly type: number;
  readonly dpl: number;
  readonly selector: number;
  readonly offset: bigint;
  readonly ist: number;
}

/** Error code of a fault about IDT entry `vector`: EXT says the event came from outside the program. */
function idtError(event: GuestEvent, isSoftware: boolean): number {
  return (event.vector * 8) | 2 | (isSoftware ? 0 : 1);
}

function readGate(p: Core, event: GuestEvent, isSoftware: boolean, size: 8 | 16): Gate {
  const { memory, state } = p;
  const error = idtError(event, isSoftware);
  if (event.vector * size + size - 1 > memory.read32(L.IDTR_LIMIT)) throw new GuestFault(VECTOR.GP, error);
  const at = memory.read64(L.IDTR_BASE) + BigInt(event.vector * size);
  return p.asSystem(() => {
    const low = p.read(at, 4);
    const high = p.read(at + 4n, 4);
    const type = (high >>> DESCRIPTOR.ACCESS_SHIFT) & (ACCESS.TYPE | ACCESS.CODE_OR_DATA);
    const dpl = (high >>> DESCRIPTOR.DPL_SHIFT) & 3;
    const allowed =
      size === 16 ? type === 14 || type === 15 : type === 5 || type === 6 || type === 7 || type === 14 || type === 15;
    if (!allowed) throw new GuestFault(VECTOR.GP, error);
    if (isSoftware && event.type !== 'privileged-exception' && dpl < state.cpl) throw new GuestFault(VECTOR.GP, error);
    if ((high & DESCRIPTOR.PRESENT) === 0) throw new GuestFault(VECTOR.NP, error);
    const wide = (type & 8) !== 0;
    let offset = BigInt((low & 0xffff) + (wide ? (high & 0xffff0000) >>> 0 : 0));
    if (size === 16) offset |= BigInt(p.read(at + 8n, 4)) << 32n;
    return { type, dpl, selector: low >>> 16, offset, ist: size === 16 ? high & 7 : 0 };
  });
}

/** Checks on the gate's code segment; returns the descriptor and the new CPL. */
function targetCode(p: Core, selector: number, external: number, long: boolean): { d: Descriptor; cpl: number } {
  const { state } = p;
  if ((selector & 0xfffc) === 0) throw new GuestFault(VECTOR.GP, external);
  const d = readDescriptor(p, selector, VECTOR.GP, external);
  const error = (selector & 0xfffc) | external;
  if (!d.isSegment || (d.type & ACCESS.CODE) === 0 || d.dpl > state.cpl) throw new GuestFault(VECTOR.GP, error);
  if (long && (!isLongCode(d) || (d.high & DESCRIPTOR.BIG) !== 0)) throw new GuestFault(VECTOR.GP, error);
  if (!d.present) throw new GuestFault(VECTOR.NP, error);
  const conforming = (d.type & ACCESS.CONFORMING) !== 0;
  return { d, cpl: conforming ? state.cpl : d.dpl };
}

function deliverLong(p: Core, event: GuestEvent, isSoftware: boolean, returnRip: bigint): void {
  const { state } = p;
  const external = isSoftware ? 0 : 1;
  const gate = readGate(p, event, isSoftware, 16);
  const { d, cpl } = targetCode(p, gate.selector, external, true);
  let stack = state.gpr(GPR.RSP);
  if (gate.ist !== 0) stack = tssStack64(p, 0x24 + 8 * (gate.ist - 1), external);
  else if (cpl !== state.cpl) stack = tssStack64(p, 4 + 8 * cpl, external);
  stack &= ~15n;
  const oldSs = state.selector(SEG.SS);
  if (!isCanonical(gate.offset)) throw new GuestFault(VECTOR.GP, external);
  const flags = pushedFlags(p, event);
  const words = [BigInt(oldSs), state.gpr(GPR.RSP), flags, BigInt(state.selector(SEG.CS)), returnRip];
  if (event.error !== undefined) words.push(BigInt(event.error));
  const bottom = BigInt.asUintN(64, stack - BigInt(8 * words.length));
  const oldCpl = state.cpl;
  pushFrame(p, bottom, words.reverse(), cpl, isCanonical(bottom) ? undefined : external);
  markAccessed(p, d);
  enterCode(p, gate.selector, d, cpl);
  if (cpl !== oldCpl) state.setSegment(SEG.SS, cpl, 0n, 0, ACCESS.UNUSABLE | (cpl << 5));
  state.setGpr(GPR.RSP, bottom);
  state.rip = gate.offset;
  clearFlags(p, TF | VM | RF | NT | (gate.type === 14 ? IF : 0));
}

export function isCanonical(address: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;
}

/** The image of RFLAGS that faults push has RF set. SDM Vol. 3, 18.3.1.1. */
function pushedFlags(p: Core, event: GuestEvent): bigint {
  const flags = p.state.rflags;
  const isFault = event.type === 'exception' && event.vector !== VECTOR.DB;
  return BigInt(isFault ? flags | RF : flags);
}

function tssStack64(p: Core, offset: number, external: number): bigint {
  const { state } = p;
  if (offset + 7 > state.limit(SEG.TR)) throw new GuestFault(VECTOR.TS, (state.selector(SEG.TR) & 0xfffc) | external);
  const stack = p.asSystem(() => p.read64(state.base(SEG.TR) + BigInt(offset)));
  if (!isCanonical(stack)) throw new GuestFault(VECTOR.SS, external);
  return stack;
}

/** Write 64-bit words upwards from `bottom` with the rights of the new privilege level. */
function pushFrame(p: Core, bottom: bigint, words: readonly bigint[], cpl: number, refused: number | undefined): void {
  if (refused !== undefined) throw new GuestFault(VECTOR.SS, refused);
  const write = (): void => {
    p.probeWrite(bottom, 8);
    p.probeWrite(bottom + BigInt(8 * (words.length - 1)), 8);
    words.forEach((word, i) => {
      p.writeValue(bottom + BigInt(8 * i), 8, word);
    });
  };
  withPrivilege(p, cpl, write);
}

/** Memory accesses of `body` are made at privilege `cpl`. */
function withPrivilege<T>(p: Core, cpl: number, body: () => T): T {
  const old = p.state.cpl;
  if (old === cpl) return body();
  p.state.cpl = cpl;
  p.mmu.select();
  try {
    return body();
  } finally {
    p.state.cpl = old;
    p.mmu.select();
  }
}

function deliverProtected(p: Core, event: GuestEvent, isSoftware: boolean, returnRip: bigint): void {
  const { state } = p;
  const external = isSoftware ? 0 : 1;
  if (isSoftware && state.virtual8086 && event.type === 'soft-interrupt' && state.iopl < 3) {
    throw new GuestFault(VECTOR.GP, 0);
  }
  const gate = readGate(p, event, isSoftware, 8);
  if (gate.type === 5) throw taskGateExit(p, gate.selector, event);
  const { d, cpl } = targetCode(p, gate.selector, external, false);
  const size = (gate.type & 8) !== 0 ? 4 : 2;
  // A 16-bit gate has an offset of 16 bits.
  const isWithin = gate.offset <= BigInt(limitOf(d));
  const was8086 = state.virtual8086;
  if (was8086 && cpl !== 0) throw new GuestFault(VECTOR.GP, (gate.selector & 0xfffc) | external);
  const flags = pushedFlags(p, event);
  const tail = [flags, BigInt(state.selector(SEG.CS)), returnRip];
  if (event.error !== undefined) tail.push(BigInt(event.error));
  if (cpl !== state.cpl || was8086) {
    toInnerStack(p, { gate, d, cpl, size, tail, was8086, external, isWithin });
  } else {
    if (!isWithin) throw new GuestFault(VECTOR.GP, external);
    const top = stackAddress(p, tail.length * size);
    writeStack(p, state.base(SEG.SS), top, tail, size, cpl, { limitCheck: true });
    setStackPointer(p, top);
    enterCode(p, gate.selector, d, cpl);
  }
  state.rip = gate.offset;
  clearFlags(p, TF | VM | RF | NT | ((gate.type & 1) === 0 ? IF : 0));
}

function stackAddress(p: Core, bytes: number): bigint {
  return (p.state.gpr(GPR.RSP) - BigInt(bytes)) & p.memory.read64(L.STACK_MASK);
}

function setStackPointer(p: Core, top: bigint): void {
  const mask = p.memory.read64(L.STACK_MASK);
  p.state.setGpr(GPR.RSP, (p.state.gpr(GPR.RSP) & ~mask & 0xffff_ffffn) | top);
}

/** Push `words` (first pushed first) so that the last lies at `top`. */
function writeStack(
  p: Core,
  base: bigint,
  top: bigint,
  words: readonly bigint[],
  size: number,
  cpl: number,
  how: { limitCheck: boolean },
): void {
  const addressOf = (i: number): bigint => {
    const offset = top + BigInt(size * (words.length - 1 - i));
    return how.limitCheck ? p.linear(SEG.SS, offset, size, true) : (base + offset) & 0xffff_ffffn;
  };
  withPrivilege(p, cpl, () => {
    p.probeWrite(addressOf(0), size);
    p.probeWrite(addressOf(words.length - 1), size);
    words.forEach((word, i) => {
      p.writeValue(addressOf(i), size, word);
    });
  });
}

interface InnerStack {
  readonly gate: Gate;
  readonly d: Descriptor;
  readonly cpl: number;
  readonly size: number;
  readonly tail: readonly bigint[];
  readonly was8086: boolean;
  readonly external: number;
  /** The handler lies in its segment. */
  readonly isWithin: boolean;
}

/** More privileged: the stack comes from the TSS; from virtual-8086 mode the data segments are saved too. */
function toInnerStack(p: Core, to: InnerStack): void {
  const { state } = p;
  const { selector, pointer } = tssStack(p, to.cpl, to.external);
  const ss = checkInnerStack(p, selector, to.cpl, to.external);
  if (!to.isWithin) throw new GuestFault(VECTOR.GP, to.external);
  const words: bigint[] = [];
  if (to.was8086) for (const s of [5, 4, 3, 0]) words.push(BigInt(state.selector(s)));
  words.push(BigInt(state.selector(SEG.SS)), state.gpr(GPR.RSP) & 0xffff_ffffn, ...to.tail);
  const mask = (ss.access & ACCESS.BIG) !== 0 ? 0xffff_ffffn : 0xffffn;
  const top = (pointer - BigInt(words.length * to.size)) & mask;
  writeStack(p, ss.base, top, words, to.size, to.cpl, { limitCheck: false });
  enterCode(p, to.gate.selector, to.d, to.cpl);
  state.setSegment(SEG.SS, (selector & 0xfffc) | to.cpl, ss.base, ss.limit, ss.access);
  const old = state.gpr(GPR.RSP) & 0xffff_ffffn;
  state.setGpr(GPR.RSP, (old & ~mask) | top);
  if (to.was8086) for (const s of DATA_SEGMENTS) state.setSegment(s, 0, 0n, 0, ACCESS.UNUSABLE);
}

/** SS:ESP of a privilege level from a 32- or 16-bit TSS. */
export function tssStack(p: Core, cpl: number, external: number): { selector: number; pointer: bigint } {
  const { state } = p;
  const wide = (state.access(SEG.TR) & 8) !== 0;
  const offset = wide ? 4 + 8 * cpl : 2 + 4 * cpl;
  if (offset + (wide ? 5 : 3) > state.limit(SEG.TR)) {
    throw new GuestFault(VECTOR.TS, (state.selector(SEG.TR) & 0xfffc) | external);
  }
  return p.asSystem(() => {
    const at = state.base(SEG.TR) + BigInt(offset);
    const pointer = BigInt(p.read(at, wide ? 4 : 2));
    return { pointer, selector: p.read(at + (wide ? 4n : 2n), 2) };
  });
}

export function checkInnerStack(
  p: Core,
  selector: number,
  cpl: number,
  external: number,
): { base: bigint; limit: number; access: number } {
  const error = (selector & 0xfffc) | external;
  if ((selector & 0xfffc) === 0) throw new GuestFault(VECTOR.TS, external);
  const d = readDescriptor(p, selector, VECTOR.TS, external);
  const isWritableData = d.isSegment && (d.type & ACCESS.CODE) === 0 && (d.type & ACCESS.WRITABLE) !== 0;
  if ((selector & 3) !== cpl || d.dpl !== cpl || !isWritableData) throw new GuestFault(VECTOR.TS, error);
  if (!d.present) throw new GuestFault(VECTOR.SS, error);
  markAccessed(p, d);
  return { base: baseOf(d), limit: limitOf(d), access: accessOf(d) | 1 };
}

/** A task gate always exits in VMX non-root operation; source 3 is the IDT. SDM Vol. 3, Table 28-2. */
function taskGateExit(p: Core, selector: number, event: GuestEvent): GuestExit {
  void p;
  return new GuestExit(
    vmExit({
      reason: EXIT.TASK_SWITCH,
      qualification: BigInt(((3 << 30) | selector) >>> 0),
      instructionLength: event.length,
      idtVectoringInfo: interruptionInfo(event),
      idtVectoringErrorCode: event.error ?? 0,
    }),
  );
}
