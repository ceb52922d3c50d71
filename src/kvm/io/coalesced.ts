/**
 * Writes user space need not see at once: they wait in a ring it empties when it likes.
 * Linux virt/kvm/coalesced_mmio.c; Documentation/virt/kvm/api.rst, 4.116.
 */
import { type KvmContext, vmOf } from '../context.ts';
import type { CoalescedZone } from '../ioctl/ioctls.ts';
import type { CoalescedZoneState } from '../state.ts';

/** Entries of the ring's page: KVM_COALESCED_MMIO_MAX. One stays empty. */
export const RING_ENTRIES = 170;

/** KVM_REGISTER_COALESCED_MMIO. */
export function registerZone(kvm: KvmContext, { addr, size, pio }: CoalescedZone): number {
  kvm.raise({ kind: 'ioctl:KVM_REGISTER_COALESCED_MMIO', addr, size, pio });
  return 0;
}

/** KVM_UNREGISTER_COALESCED_MMIO: every zone that lies around the one named. */
export function unregisterZone(kvm: KvmContext, { addr, size, pio }: CoalescedZone): number {
  kvm.raise({ kind: 'ioctl:KVM_UNREGISTER_COALESCED_MMIO', addr, size, pio });
  return 0;
}

/** Whether a zone takes a write. Asked at each OUT: nothing is made. */
export function isCoalesced(kvm: KvmContext, pio: boolean, addr: number, size: number): boolean {
  for (const zone of vmOf(kvm).coalesced) if (zone.pio === pio && isWithin(zone, addr, size)) return true;
  return false;
}

/** coalesced_mmio_write, once a zone takes it: false when the ring is full and user space must act. */
export function coalescedWrite(kvm: KvmContext, pio: boolean, addr: number, data: Uint8Array): boolean {
  const { first, last } = vmOf(kvm).ring;
  if ((last + 1) % RING_ENTRIES === first) return false;
  kvm.raise({ kind: 'sim:coalesced_write', addr, pio, data });
  return true;
}

/** User space has performed the oldest write. */
export function takeCoalesced(kvm: KvmContext): void {
  kvm.raise({ kind: 'sim:coalesced_taken', first: (vmOf(kvm).ring.first + 1) % RING_ENTRIES });
}

/** Whether an access lies in a zone. */
export const isWithin = (zone: CoalescedZoneState, addr: number, size: number): boolean =>
  addr >= zone.addr && addr + size <= zone.addr + zone.size;
