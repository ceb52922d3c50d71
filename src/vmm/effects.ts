import type { Effects, HostRequest } from '../devices/device.ts';
import { driveSlot, type Piix3State } from '../devices/piix3/index.ts';
import { KVM_GET_PIT2, KVM_IRQ_LINE_STATUS, KVM_SET_PIT2 } from '../kvm/ioctls.ts';
import type { Machine, Part } from './machine.ts';
import { readBytes, writeBytes } from './memory/address-space.ts';
import { vmIoctl } from './traced-kvm.ts';

/** The part that routes PCI interrupts to ISA lines. */
export const ISA_BRIDGE = 'piix3';

/** What the device of one part may do to the machine around it. */
export function effectsOf(machine: () => Machine, part: Part): Effects {
  return {
    get now(): number {
      return machine().host.now();
    },
    raise: (event) => machine().host.raise(event),
    pin: (name, high) => drivePin(machine(), part, name, high),
    ask: (request) => answer(machine(), part, request),
    dmaRead: (gpa, length) => {
      const bytes = readBytes(machine().memory, gpa, length);
      raiseDma(machine(), part, 'read', gpa, bytes);
      return bytes;
    },
    dmaWrite: (gpa, bytes) => {
      raiseDma(machine(), part, 'write', gpa, bytes);
      writeBytes(machine().memory, gpa, bytes);
    },
  };
}

/**
 * Raise or lower a global system interrupt of the in-kernel controllers.
 * QEMU's gsi_handler drives an ISA line's PIC input and its I/O APIC input; under KVM both are this ioctl.
 * Deviation: without QEMU's kvm_vm_ioctl event; KVM's own kvm_set_irq says all of it.
 */
export function driveGsi(machine: Machine, gsi: number, high: boolean): void {
  for (let inputs = gsi < ISA_LINES ? 2 : 1; inputs > 0; inputs--) {
    machine.kvm.ioctl(machine.fds.vm, KVM_IRQ_LINE_STATUS, { irq: gsi, level: high ? 1 : 0, status: 0 });
  }
}

/** The trace holds edges; the wire behind the pin gets every drive, as QEMU's qemu_set_irq does. */
function drivePin(machine: Machine, part: Part, name: string, high: boolean): void {
  const key = `${part.name}.${name}`;
  if ((machine.state.pins[key] ?? false) !== high) {
    machine.state.pins[key] = high;
    machine.host.raise({ kind: 'sim:irq_line', dev: part.name, pin: name, level: high ? 1 : 0 });
  }
  const wire = part.wires[name];
  if (wire === undefined) return;
  if (wire.to === 'gsi') driveGsi(machine, wire.gsi, high);
  else if (wire.to === 'intx') driveIntxLine(machine, { slot: wire.slot, pin: wire.pin, high });
  else if (wire.to === 'pit') enablePit(machine, high);
  else driveInput(machine, wire.part, wire.name, high);
}

/** QEMU's kvm_pit_irq_control: the PIT loses its line while the HPET's timer 0 has it. */
function enablePit(machine: Machine, enabled: boolean): void {
  const pit = { channels: [], flags: 0 };
  vmIoctl(machine, machine.fds.vm, KVM_GET_PIT2, pit);
  pit.flags = enabled ? pit.flags & ~PIT_HPET_LEGACY : pit.flags | PIT_HPET_LEGACY;
  vmIoctl(machine, machine.fds.vm, KVM_SET_PIT2, pit);
}

function driveIntxLine(machine: Machine, line: { slot: number; pin: number; high: boolean }): void {
  const index = machine.parts.findIndex((part) => part.name === ISA_BRIDGE);
  driveSlot(machine.state.devices[ISA_BRIDGE] as Piix3State, line, machine.effects[index]!);
}

function driveInput(machine: Machine, name: string, input: string, high: boolean): void {
  const index = machine.parts.findIndex((part) => part.name === name);
  const part = machine.parts[index];
  part?.device.input?.(machine.state.devices[name]!, input, high, machine.effects[index]!);
}

/** A reset waits until the access that asked for it is over; the rest leaves the machine at once. */
function answer(machine: Machine, part: Part, request: HostRequest): void {
  if (request.ask === 'reset') {
    machine.state.resetBy ??= part.name;
    return;
  }
  if (request.ask === 'power-off' || request.ask === 'exit') machine.state.stopped = true;
  machine.host.ask(request);
}

function raiseDma(machine: Machine, part: Part, dir: 'read' | 'write', gpa: number, bytes: Uint8Array): void {
  machine.host.raise({ kind: 'sim:dma', dev: part.name, dir, gpa, len: bytes.length, digest: digestOf(bytes) });
}

/** 32-bit FNV-1a: enough to tell whether a replay moved the same bytes. */
function digestOf(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

const ISA_LINES = 16;
/** KVM_PIT_FLAGS_HPET_LEGACY. */
const PIT_HPET_LEGACY = 1;
