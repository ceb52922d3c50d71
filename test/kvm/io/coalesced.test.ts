import { expect, test } from 'vitest';
import { RING_ENTRIES } from '../../../src/kvm/io/coalesced.ts';
import { KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO } from '../../../src/kvm/ioctl/ioctls.ts';
import { type RealGuest, realGuest } from '../real-guest.ts';

const IO = 2;
const HLT = 5;
const MMIO = 6;

const zone = (machine: RealGuest, request: number, addr: number, size: number, pio: boolean): number =>
  machine.vmIoctl(request, { addr, size, pio });

test('writes to a coalesced port wait in the ring and do not leave the kernel', () => {
  // mov al, 0x5a; out 0x70, al; mov ax, 0x1234; out 0x72, ax; hlt
  const machine = realGuest([0xb0, 0x5a, 0xe6, 0x70, 0xb8, 0x34, 0x12, 0xe7, 0x72, 0xf4]);
  zone(machine, KVM_REGISTER_COALESCED_MMIO, 0x70, 4, true);
  expect(machine.next()).toBe(HLT);
  expect(machine.kvm.coalescedRing()).toMatchObject({
    first: 0,
    last: 2,
    entries: [
      { addr: 0x70, pio: true, data: [0x5a] },
      { addr: 0x72, pio: true, data: [0x34, 0x12] },
    ],
  });
});

test('writes to coalesced memory wait too, reads of it leave', () => {
  // mov ax, 0xf000; mov ds, ax; mov es, ax; mov byte [0xf000], 7; mov al, [0xf000]; hlt: at 0xff000, above memory
  const code = [0xb8, 0, 0xff, 0x8e, 0xd8, 0xc6, 0x06, 0, 0xf0, 7, 0xa0, 0, 0xf0, 0xf4];
  const machine = realGuest(code);
  machine.setSregs((sregs) => {
    sregs.ds = { ...sregs.ds, selector: 0, base: 0n };
  });
  const above = 0xff000 + 0xf000;
  zone(machine, KVM_REGISTER_COALESCED_MMIO, above, 1, false);
  expect(machine.next()).toBe(MMIO);
  expect(machine.run.mmio).toMatchObject({ physAddr: above, isWrite: false });
  expect(machine.kvm.coalescedRing().entries).toEqual([{ addr: above, pio: false, data: [7] }]);
});

test('a full ring sends the write to user space, and takes one again when it was read', () => {
  // mov al, 1; again: out 0x70, al; jmp again
  const machine = realGuest([0xb0, 1, 0xe6, 0x70, 0xeb, 0xfc]);
  zone(machine, KVM_REGISTER_COALESCED_MMIO, 0x70, 1, true);
  expect(machine.next()).toBe(IO);
  const last = (): number => machine.kvm.coalescedRing().last;
  expect(last()).toBe(RING_ENTRIES - 1);
  for (let taken = 0; taken < RING_ENTRIES - 1; taken += 1) machine.kvm.takeCoalesced();
  expect(machine.kvm.coalescedRing().first).toBe(last());
  expect(machine.next()).toBe(IO);
  expect(last()).toBe(RING_ENTRIES - 2);
});

test('a zone that is taken away, or does not hold the whole access, coalesces nothing', () => {
  // out 0x70, ax; hlt
  const machine = realGuest([0xe7, 0x70, 0xf4]);
  zone(machine, KVM_REGISTER_COALESCED_MMIO, 0x70, 1, true);
  expect(machine.next()).toBe(IO);
  const other = realGuest([0xe6, 0x70, 0xf4]);
  zone(other, KVM_REGISTER_COALESCED_MMIO, 0x70, 4, true);
  zone(other, KVM_UNREGISTER_COALESCED_MMIO, 0x70, 1, true);
  expect(other.next()).toBe(IO);
});
