import { expect, test } from 'vitest';
import type { HostRequest } from '../../src/devices/device.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { createKvm } from '../../src/kvm/kvm.ts';
import { createMachinePc, type MachineOptions } from '../../src/vmm/index.ts';
import { createFakeGuest, exitOf, type FakeGuest } from '../kvm/fake-guest.ts';
import { LEAST } from './bench.ts';
import { fakeMultiboot } from './loaders/kernels.ts';

/** The machine on KVM's own half over a processor that runs a script. */
function machineOn(guest: FakeGuest, change: Partial<MachineOptions> = {}) {
  const events: MachineEvent[] = [];
  const asked: HostRequest[] = [];
  const clock = { now: 0 };
  const wallClockAtPowerOn = 1_700_000_000_000_000_000n;
  const raise = (event: MachineEvent) => {
    events.push(event);
  };
  const now = () => clock.now;
  const kvm = createKvm(guest, { now, hostTsc: () => BigInt(clock.now * 2), raise, wallClockAtPowerOn });
  const memory = new Uint8Array(80 * 2 ** 20);
  let next = 0x1000;
  const vmm = createMachinePc(
    kvm,
    { ...LEAST, ...change },
    {
      now,
      raise,
      ask: (request) => asked.push(request),
      wallClockAtPowerOn,
      memory: {
        allocate: (_name, size) => {
          const hva = next;
          next += Math.ceil(size / 4096) * 4096;
          return hva;
        },
        readHost: (hva, length) => memory.slice(hva, hva + length),
        writeHost: (hva, bytes) => memory.set(bytes, hva),
      },
    },
  );
  return { kvm, vmm, events, asked, memory };
}

const failedIoctls = (events: readonly MachineEvent[]) =>
  events.flatMap((event) => (event.kind === 'sim:ioctl' && event.ret < 0 ? [`${event.name} ${event.argDigest}`] : []));

test.each([1, 2, 4])('KVM takes every ioctl of a machine with %i processors', (smp) => {
  expect(failedIoctls(machineOn(createFakeGuest(), { smp }).events)).toEqual([]);
});

test('KVM has every register that reset and a direct boot set', () => {
  const { events } = machineOn(createFakeGuest(), { kernel: { name: 'x.flat', bytes: fakeMultiboot() } });
  const taken = events.flatMap((event) =>
    event.kind === 'sim:ioctl' && event.name === 'KVM_SET_MSRS' ? [event.ret] : [],
  );
  expect(taken).toEqual([1, 17, 14]);
});

test('KVM takes every ioctl of a reset, and the first vCPU is back at the reset vector', () => {
  const guest = createFakeGuest();
  const { vmm, events } = machineOn(guest, { smp: 2 });
  vmm.requestReset('test');
  expect(failedIoctls(events)).toEqual([]);
  expect(guest.registers(0).rip).toBe(0xfff0n);
  expect(guest.registers(0).segment(1).base).toBe(0xffff0000n);
});

test('an OUT to COM1 goes through KVM_EXIT_IO to the console and the next entry continues', () => {
  // Exit qualification of OUT DX, AL: SDM Vol. 3, Table 28-5.
  const out = {
    why: 'exit' as const,
    exit: exitOf(30, { qualification: BigInt(0x3f8 << 16), instructionLength: 1 }),
    a0: 0x41n,
  };
  const { kvm, vmm, asked } = machineOn(createFakeGuest([() => out]));
  expect(kvm.advance(0, 1000)).toBe('userspace');
  vmm.service(0);
  expect(asked).toContainEqual({ ask: 'serial-output', line: 0, byte: 0x41 });
});

test('a multiboot kernel is in memory and entered in flat protected mode', () => {
  const guest = createFakeGuest();
  const { memory } = machineOn(guest, { kernel: { name: 'x.flat', bytes: fakeMultiboot() } });
  expect(guest.registers(0).rip).toBe(0x400010n);
  expect(guest.registers(0).segment(1)).toMatchObject({ base: 0n, limit: 0xffffffff, access: 0xc09b });
  expect(new DataView(memory.buffer).getUint32(0x1000 + 0x400000, true)).toBe(0x1badb002);
});

test('a restored state leads accesses where they led when it was taken', () => {
  const { vmm } = machineOn(createFakeGuest());
  const before = structuredClone(vmm.state);
  const flat = vmm.describeFlat();
  vmm.restore(before);
  expect(vmm.describeFlat()).toBe(flat);
  expect(vmm.state).toBe(before);
});

test("a kernel that starts without firmware finds the PC/AT's vectors, controllers and timer", () => {
  const { kvm, memory } = machineOn(createFakeGuest(), { kernel: { name: 'x.flat', bytes: fakeMultiboot() } });
  const { pic, pit } = kvm.state.vm!.irqchip!;
  const [first, second] = pic.chips;
  expect([first!.irqBase, first!.imr, second!.irqBase, second!.imr, second!.elcr]).toEqual([8, 0xb8, 0x70, 0x8e, 0x0c]);
  expect([pit!.armed, pit!.periodic, pit!.channels[0]!.mode]).toEqual([true, true, 2]);
  const ram = 0x1000;
  const handler = (vector: number): number[] => {
    const at = new DataView(memory.buffer, ram + 4 * vector, 4);
    return [...memory.subarray(ram + at.getUint16(2, true) * 16 + at.getUint16(0, true)).subarray(0, 4)];
  };
  const IRET = 0xcf;
  expect(handler(0x11)[0]).toBe(IRET);
  expect(handler(8)).toEqual([0x50, 0xb0, 0x20, 0xe6]);
});
