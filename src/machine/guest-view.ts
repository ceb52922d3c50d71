import type { Gpa, Gva, Hva, Tick } from '../base/units.ts';
import { Problem } from '../base/problem.ts';
import type { Registers } from '../x86/guest.ts';
import type { MemslotState } from '../kvm/state.ts';
import type { Machine } from './machine.ts';
import { walkPageTables, type Walked } from '../x86/page-tables.ts';
import { ACCESS, CR0_PE, CR0_PG, EFER_LMA, RFLAGS_VM } from '../x86/registers.ts';

const PAGE = 4096;

/** A machine that stands still, as questions see it. Looking changes nothing and raises nothing. */
export interface GuestView {
  readonly machine: Machine;
}

/** Registers of one processor. Throws a Problem where there is none. */
export function registersOf(view: GuestView, vcpu: number): Registers {
  if (vcpuCount(view) === 0) throw new Problem('A bridge has no processors: this is about one.');
  return view.machine.engine.registers(vcpu);
}

/** The memory slot that holds a guest-physical address. */
function slotAt(view: GuestView, gpa: Gpa): MemslotState | undefined {
  const gfn = Math.floor(gpa / PAGE);
  return view.machine.state.kvm.vm?.slots.find((slot) => gfn >= slot.baseGfn && gfn < slot.baseGfn + slot.npages);
}

/** Host-virtual address of guest-physical memory; undefined where there is none. */
export function hvaOf(view: GuestView, gpa: Gpa): Hva | undefined {
  const slot = slotAt(view, gpa);
  return slot === undefined ? undefined : slot.hva + gpa - slot.baseGfn * PAGE;
}

/** Guest-physical addresses at which a host-virtual one is seen. */
export function gpasOf(view: GuestView, hva: Hva): Gpa[] {
  const slots = view.machine.state.kvm.vm?.slots ?? [];
  return slots.flatMap((slot) =>
    hva >= slot.hva && hva < slot.hva + slot.npages * PAGE ? [slot.baseGfn * PAGE + hva - slot.hva] : [],
  );
}

/** Bytes at a guest-physical address, as many as there is memory for. */
export function readPhysical(view: GuestView, gpa: Gpa, length: number): Uint8Array {
  return inPages(gpa, length, (at, size) => {
    const hva = hvaOf(view, at);
    return hva === undefined ? undefined : view.machine.engine.readHost(hva, size);
  });
}

/** Bytes at a linear address through a processor's own page tables, up to the first page that is not mapped. */
export function readLinear(view: GuestView, vcpu: number, linear: Gva, length: number): Uint8Array {
  const start = BigInt.asUintN(64, linear);
  const offset = Number(start % BigInt(PAGE));
  return inPages(offset, length, (at, size) => {
    const gpa = physicalOf(view, vcpu, start + BigInt(at - offset));
    const hva = gpa === undefined ? undefined : hvaOf(view, gpa);
    return hva === undefined ? undefined : view.machine.engine.readHost(hva, size);
  });
}

function inPages(
  start: number,
  length: number,
  read: (at: number, size: number) => Uint8Array | undefined,
): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = start + done;
    const size = Math.min(length - done, PAGE - (at % PAGE));
    const piece = read(at, size);
    if (piece === undefined) break;
    bytes.set(piece, done);
    done += size;
  }
  return bytes.subarray(0, done);
}

/** The guest's own page tables' way from a linear address; undefined when it is not mapped. */
export function walkLinear(view: GuestView, vcpu: number, linear: Gva): Walked | undefined {
  const { engine } = view.machine;
  return walkPageTables(registersOf(view, vcpu), BigInt.asUintN(64, linear), (gpa, size) => {
    const hva = hvaOf(view, gpa);
    if (hva === undefined) return undefined;
    const bytes = engine.readHost(hva, size);
    const data = new DataView(bytes.buffer, bytes.byteOffset, size);
    return size === 8 ? data.getBigUint64(0, true) : BigInt(data.getUint32(0, true));
  });
}

/** Guest-physical address of a linear one; undefined when it is not mapped. */
export const physicalOf = (view: GuestView, vcpu: number, linear: Gva): Gpa | undefined =>
  walkLinear(view, vcpu, linear)?.gpa;

/** Width of the code a processor runs. SDM Vol. 3, 3.4.5. */
export const bitsOf = (view: GuestView, vcpu: number): 16 | 32 | 64 => codeBits(registersOf(view, vcpu));

function codeBits(registers: Registers): 16 | 32 | 64 {
  const { access } = registers.segment(1);
  if ((registers.cr0 & CR0_PE) === 0n || (registers.rflags & RFLAGS_VM) !== 0n) return 16;
  if ((registers.efer & EFER_LMA) !== 0n && (access & ACCESS.LONG) !== 0) return 64;
  return (access & ACCESS.BIG) === 0 ? 16 : 32;
}

/** Linear address of the next instruction. */
export const linearRip = (view: GuestView, vcpu: number): bigint => linearRipOf(registersOf(view, vcpu));

/** Linear address of the next instruction by its processor's registers. */
export function linearRipOf(registers: Registers): bigint {
  const { rip } = registers;
  return codeBits(registers) === 64 ? rip : BigInt.asUintN(32, registers.segment(1).base + rip);
}

/** Whether linear addresses go through page tables. */
export const isPaging = (registers: Registers): boolean => (registers.cr0 & CR0_PG) !== 0n;

/** How many processors the machine has. */
export const vcpuCount = ({ machine }: GuestView): number => machine.state.kvm.vcpus.length;

/** Whether a vCPU, or this one, is about to execute at a tick or later. */
export const isAtPlace = ({ ticks, state: { schedule, kvm } }: Machine, tick: Tick, turn?: number): boolean =>
  ticks >= tick && (turn === undefined || schedule.turn === turn) && kvm.vcpus.some(({ inGuest }) => inGuest);
