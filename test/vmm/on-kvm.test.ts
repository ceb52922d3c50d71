import { expect, test } from 'vitest';
import type { Origin } from '../../src/events/origin.ts';
import { vcpuSource } from '../../src/events/stamped.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { PIT_TIMER } from '../../src/kvm/irqchip/pit.ts';
import { restoreCheckpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { createMachinePc, type MachineOptions } from '../../src/vmm/index.ts';
import { createFakeGuest, exitOf, type FakeGuest } from '../kvm/fake-guest.ts';
import { inputQueue, pcOn } from '../machine/pc.ts';
import { LEAST } from './bench.ts';
import { fakeMultiboot } from './loaders/kernels.ts';

/** RAM from 0 up, as the monitor's first allocation, and ROMs behind it. */
const MEMORY = 80 * 2 ** 20;

/** The machine on KVM's own half over a processor that runs a script. */
function machineOn(guest: FakeGuest, change: Partial<MachineOptions> = {}) {
  const events: MachineEvent[] = [];
  const options = { ...LEAST, ...change };
  const memory = new Uint8Array(MEMORY);
  const inputs = inputQueue();
  let powerOn: Origin | undefined;
  const machine = pcOn(options, {
    engine: () =>
      Object.assign(guest, {
        readHost: (hva: number, length: number) => memory.slice(hva, hva + length),
        writeHost: (hva: number, bytes: Uint8Array) => memory.set(bytes, hva),
        regions: [],
      }),
    vmm: (kernel, host, origin) => {
      powerOn = origin;
      return createMachinePc(kernel, options, host, origin);
    },
    inputs,
    onEvent: ({ event }) => void events.push(event),
  });
  const { kvm, vmm } = machine;
  const vcpu = (powerOn as unknown as Origin).by(vcpuSource(0));
  return { machine, kvm, vmm, events, memory, inputs, vcpu };
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
  const { machine, events, inputs } = machineOn(guest, { smp: 2 });
  guest.setRip(0, 0x1234n);
  inputs.push({ event: { kind: 'sim:reset_requested' } });
  machine.advance({ seq: machine.seq + 1 });
  expect(events.filter((event) => event.kind === 'sim:reset')).toEqual([{ kind: 'sim:reset', by: 'user' }]);
  expect(failedIoctls(events)).toEqual([]);
  expect(guest.registers(0).rip).toBe(0xfff0n);
  expect(guest.registers(0).segment(1).base).toBe(0xffff0000n);
});

/** Exit qualification of OUT: SDM Vol. 3, Table 28-5. */
const out = (port: number, size: number, value: number) => ({
  why: 'exit' as const,
  exit: exitOf(30, { qualification: BigInt(port * 0x10000 + size - 1), instructionLength: 1 }),
  a0: BigInt(value),
});

test('an OUT to COM1 goes through KVM_EXIT_IO to the console and the next entry continues', () => {
  const guest = createFakeGuest([() => out(0x3f8, 1, 0x41)]);
  const { machine, kvm, vmm, vcpu, events } = machineOn(guest);
  expect(kvm.advance(0, 1000, vcpu)).toBe('userspace');
  expect(machine.state.kvm.vcpus[0]!.inUserspace).toBe(true);
  vmm.service(0, vcpu);
  expect(events).toContainEqual({ kind: 'sim:serial_sent', line: 0, byte: 0x41 });
  expect(machine.state.kvm.vcpus[0]!.inUserspace).toBe(false);
  expect(guest.registers(0).rip).toBe(0xfff1n);
});

test('a multiboot kernel is in memory and entered in flat protected mode', () => {
  const guest = createFakeGuest();
  const { memory } = machineOn(guest, { kernel: { name: 'x.flat', bytes: fakeMultiboot() } });
  expect(guest.registers(0).rip).toBe(0x400010n);
  expect(guest.registers(0).segment(1)).toMatchObject({ base: 0n, limit: 0xffffffff, access: 0xc09b });
  expect(new DataView(memory.buffer).getUint32(0x400000, true)).toBe(0x1badb002);
});

test('a restored state leads accesses where they led when it was taken', () => {
  // PAM registers to ROM shadowed in RAM, through PCI configuration mechanism 1.
  const outs = [out(0xcf8, 4, 0x80000058), out(0xcfd, 1, 0x30)];
  const { machine, kvm, vmm, vcpu } = machineOn(createFakeGuest(outs.map((stop) => () => stop)));
  const before = takeCheckpoint(machine);
  const flat = vmm.describeFlat();
  for (let at = 0; at < outs.length; at += 1) {
    expect(kvm.advance(0, 1000, vcpu)).toBe('userspace');
    vmm.service(0, vcpu);
  }
  expect(vmm.describeFlat()).not.toBe(flat);
  restoreCheckpoint(machine, before);
  expect(vmm.describeFlat()).toBe(flat);
});

test("a kernel that starts without firmware finds the PC/AT's vectors, controllers and timer", () => {
  const { machine, memory } = machineOn(createFakeGuest(), { kernel: { name: 'x.flat', bytes: fakeMultiboot() } });
  const { vm, timers } = machine.state.kvm;
  const { pic, pit } = vm!.irqchip!;
  const [first, second] = pic.chips;
  expect([first!.irqBase, first!.imr, second!.irqBase, second!.imr, second!.elcr]).toEqual([8, 0xb8, 0x70, 0x8e, 0x0c]);
  expect([PIT_TIMER in timers, pit!.periodic, pit!.channels[0]!.mode]).toEqual([true, true, 2]);
  const handler = (vector: number): number[] => {
    const at = new DataView(memory.buffer, 4 * vector, 4);
    return [...memory.subarray(at.getUint16(2, true) * 16 + at.getUint16(0, true)).subarray(0, 4)];
  };
  const IRET = 0xcf;
  expect(handler(0x11)[0]).toBe(IRET);
  expect(handler(9)).toEqual([0x50, 0xb0, 0x20, 0xe6]);
  expect(handler(8)).toEqual([0x1e, 0x50, 0x31, 0xc0]);
});
