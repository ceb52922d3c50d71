import type { Gpa, Gva } from '../base/units.ts';
import { NONE, Origin } from '../events/origin.ts';
import { MAIN_LOOP } from '../events/stamped.ts';
import { type GuestView, physicalOf } from './guest-view.ts';

/** Registers of a device, as a debugger may see them. */
export interface DeviceSeen {
  /** The region they lie in, as `info mtree` names it. */
  readonly device: string;
  /** What a read gives; undefined where a read would change something. */
  readonly bytes: Uint8Array | undefined;
}

/** Facts of a read that change nothing. */
const TOLD: ReadonlySet<string> = new Set(['memory_region_ops_read', 'kvm_apic']);

class WouldChange extends Error {}

/** A read that changes something puts that on record before anything else. */
const ONLY_LOOKS = new Origin(({ kind }) => {
  if (TOLD.has(kind)) return NONE;
  throw new WouldChange(kind);
}, MAIN_LOOP);

const PAGE = 4096;
/** The widest access of an interrupt controller. */
const WIDTH = 4;

/** Look at a device's registers from a guest-physical address on, within its page. Undefined: there are none. */
export function peekDevice({ machine }: GuestView, vcpu: number, gpa: Gpa, length: number): DeviceSeen | undefined {
  const device = machine.vmm.ownerOf(gpa);
  if (device === undefined) return undefined;
  const bytes = new Uint8Array(Math.min(length, PAGE - (gpa % PAGE)));
  try {
    for (let at = 0; at < bytes.length; ) {
      const size = Math.min(bytes.length - at, WIDTH - ((gpa + at) % WIDTH));
      bytes.set(peekPiece(machine, vcpu, gpa + at, size), at);
      at += size;
    }
    return { device, bytes };
  } catch (error) {
    if (error instanceof WouldChange) return { device, bytes: undefined };
    throw error;
  }
}

const peekPiece = ({ kvm, vmm }: GuestView['machine'], vcpu: number, gpa: Gpa, size: number): Uint8Array =>
  kvm.peek(vcpu, gpa, size, ONLY_LOOKS) ?? vmm.peek(gpa, size, ONLY_LOOKS);

/** The same at a linear address, through a processor's page tables. */
export function peekLinear(view: GuestView, vcpu: number, linear: Gva, length: number): DeviceSeen | undefined {
  const gpa = physicalOf(view, vcpu, linear);
  return gpa === undefined ? undefined : peekDevice(view, vcpu, gpa, length);
}
