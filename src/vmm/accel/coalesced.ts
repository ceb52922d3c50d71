import { KVM_REGISTER_COALESCED_MMIO } from '../../kvm/ioctl/ioctls.ts';
import type { Machine } from '../board/machine.ts';
import { writeSpace } from '../memory/address-space.ts';
import { vmIoctl } from './traced-kvm.ts';

/** The RTC's index port: what is written there matters only at the next access of its data port. QEMU rtc_realizefn. */
const RTC_INDEX = { addr: 0x70, size: 1, pio: true } as const;

/** Tell KVM which writes may wait. */
export function coalesceWrites(machine: Machine): void {
  vmIoctl(machine, machine.fds.vm, KVM_REGISTER_COALESCED_MMIO, { ...RTC_INDEX });
}

/** Perform the writes that waited, oldest first, before anything else is answered: kvm_flush_coalesced_mmio_buffer. */
export function flushCoalesced(machine: Machine): void {
  const { kvm } = machine;
  for (;;) {
    const { first, last, entries } = kvm.coalescedRing();
    if (first === last) return;
    const { addr, pio, data } = entries[first]!;
    const span = { bytes: Uint8Array.from(data), at: 0, length: data.length };
    writeSpace(pio ? machine.io : machine.memory, addr, span);
    kvm.takeCoalesced();
  }
}
