import type { Effects } from '../../devices/device.ts';
import { pirqOf } from '../../devices/pci/index.ts';
import { routeSlot } from '../../devices/piix3/index.ts';
import type { Wire } from '../../devices/wire.ts';
import type { MachineEvent } from '../../events/vocabulary.ts';
import { KVM_GET_PIT2, KVM_IRQ_LINE_STATUS, KVM_SET_PIT2 } from '../../kvm/ioctl/ioctls.ts';
import { ISA_BRIDGE } from './isa-bridge.ts';
import type { Machine, Part } from './machine.ts';
import { vmIoctl } from '../accel/traced-kvm.ts';

/** A call of a device: what it may do, and whether it has committed to what it was called for. */
export interface Call extends Effects {
  /** The call is over. commits: what it was called for happened, and the device had nothing to say to it. */
  finish(commits: boolean): void;
}

/** What a device that is called in an origin's name may do. pending: what `commit` puts on record. */
export type CallOf = (machine: Machine, part: Part, pending?: MachineEvent) => Call;

/** A device drives one of its pins. */
export interface Drive {
  readonly part: Part;
  readonly name: string;
  readonly high: boolean;
}

/** The trace holds edges; the wire behind the pin gets every drive, as QEMU's qemu_set_irq does. */
export function drivePin(machine: Machine, { part, name, high }: Drive, callOf: CallOf): void {
  const wire = part.wires[name];
  const pirq = wire?.to === 'intx' ? pirqOf(wire.slot, wire.pin) : -1;
  const wasAsserted = pirq >= 0 && machine.state.devices[ISA_BRIDGE].asserted[pirq] !== 0;
  const isMove = (machine.state.pins[`${part.name}.${name}`] ?? false) !== high;
  const moved = isMove
    ? machine.after(machine.raise({ kind: 'sim:irq_line', dev: part.name, pin: name, level: high ? 1 : 0 }))
    : machine;
  if (wire?.to === 'gsi') driveGsi(moved, wire.gsi, high);
  else if (wire?.to === 'pit') enablePit(moved, high);
  else if (wire?.to === 'intx') routeIntx(moved, pirq, wasAsserted, callOf);
  else if (wire !== undefined) driveInput(moved, wire, high, callOf);
}

/** The bridge sees a PIRQ. `wasAsserted`: whether it did until then. */
export function routeIntx(machine: Machine, pirq: number, wasAsserted: boolean, callOf: CallOf): void {
  const bridge = partOf(machine, ISA_BRIDGE);
  if (bridge === undefined) return;
  routeSlot(machine.state.devices[ISA_BRIDGE], pirq, wasAsserted, callOf(machine, bridge));
}

function driveInput(machine: Machine, wire: Wire & { readonly to: 'input' }, high: boolean, callOf: CallOf): void {
  const part = partOf(machine, wire.part);
  if (part !== undefined) part.device.input?.(machine.stateOf(part), wire.name, high, callOf(machine, part));
}

const partOf = (machine: Machine, name: string): Part | undefined => machine.parts.find((part) => part.name === name);

const ISA_LINES = 16;

/**
 * Raise or lower a global system interrupt of the in-kernel controllers.
 * QEMU's gsi_handler drives an ISA line's PIC input and its I/O APIC input; under KVM both are this ioctl.
 * Deviation: without QEMU's kvm_vm_ioctl event; KVM's own kvm_set_irq says all of it.
 */
function driveGsi({ kvm, fds }: Machine, gsi: number, high: boolean): void {
  for (let inputs = gsi < ISA_LINES ? 2 : 1; inputs > 0; inputs--) {
    kvm.ioctl(fds.vm, KVM_IRQ_LINE_STATUS, { irq: gsi, level: high ? 1 : 0, status: 0 });
  }
}

/** KVM_PIT_FLAGS_HPET_LEGACY. */
const PIT_HPET_LEGACY = 1;

/** QEMU's kvm_pit_irq_control: the PIT loses its line while the HPET's timer 0 has it. */
function enablePit(machine: Machine, enabled: boolean): void {
  const pit = { channels: [], flags: 0 };
  vmIoctl(machine, machine.fds.vm, KVM_GET_PIT2, pit);
  pit.flags = enabled ? pit.flags & ~PIT_HPET_LEGACY : pit.flags | PIT_HPET_LEGACY;
  vmIoctl(machine, machine.fds.vm, KVM_SET_PIT2, pit);
}
