import type { Kvm } from '../kvm/api.ts';
import type { VmmHost } from './host.ts';
import type { Machine, VmmState } from './machine.ts';
import { describeFlatView, describeTree } from './memory/mtree.ts';
import type { MachineOptions } from './options.ts';
import { buildMachine } from './pc/create.ts';
import { systemIo, systemMemory } from './pc/memory-map.ts';
import { serialName } from './pc/parts.ts';
import { redraw } from './pc/remap.ts';
import { resetIfAsked } from './reset.ts';
import { serviceExit } from './service.ts';

/** QEMU's process as the rest of the simulator sees it. */
export interface Vmm {
  /** All that can influence the future. Assigning it is not enough after a change from outside: call `restore`. */
  state: VmmState;
  /** Answer the exit a vCPU's KVM_RUN returned with. */
  service(vcpu: number): void;
  /** Earliest virtual nanosecond at which a device's timer expires. */
  deadline(): number | undefined;
  /** Expire the devices' timers due at or before now. */
  expire(): void;
  /** Bytes typed at a serial line: COM1 is 0. */
  receiveSerial(line: number, bytes: Uint8Array): void;
  /** A person pressed reset. */
  requestReset(by: string): void;
  /** Take up a state that came from a checkpoint: what follows from it is rebuilt, KVM is not asked. */
  restore(state: VmmState): void;
  /** A device of the machine, for a stopped person: labels and values. */
  describeDevice(name: string): Readonly<Record<string, string>> | undefined;
  readonly deviceNames: readonly string[];
  /** `info mtree`. */
  describeMemory(): string;
  /** `info mtree -f`. */
  describeFlat(): string;
}

/** Build QEMU's `pc` machine on a KVM. */
export function createMachinePc(kvm: Kvm, options: MachineOptions, host: VmmHost): Vmm {
  const machine = buildMachine(kvm, options, host);
  return {
    get state(): VmmState {
      return machine.state;
    },
    set state(state: VmmState) {
      machine.state = state;
    },
    service: (vcpu) => {
      serviceExit(machine, vcpu);
      resetIfAsked(machine);
    },
    deadline: () => earliestDeadline(machine),
    expire: () => {
      expireDevices(machine);
      resetIfAsked(machine);
    },
    receiveSerial: (line, bytes) => receiveSerial(machine, line, bytes),
    requestReset: (by) => {
      machine.state.resetBy ??= by;
      resetIfAsked(machine);
    },
    restore: (state) => {
      machine.state = state;
      redraw(machine);
    },
    deviceNames: machine.parts.map((part) => part.name),
    describeDevice: (name) => {
      const part = machine.parts.find((candidate) => candidate.name === name);
      return part?.device.describe(machine.state.devices[name]!);
    },
    describeMemory: () => describeMemory(machine),
    describeFlat: () => describeFlat(machine),
  };
}

function describeMemory(machine: Machine): string {
  return `${describeTree('memory', systemMemory(machine))}\n\n${describeTree('I/O', systemIo(machine))}`;
}

function describeFlat(machine: Machine): string {
  const memory = describeFlatView('memory', 'system', machine.memory.view);
  return `${memory}\n\n${describeFlatView('I/O', 'io', machine.io.view)}`;
}

function earliestDeadline(machine: Machine): number | undefined {
  let earliest: number | undefined;
  for (const part of machine.parts) {
    if (part.device.deadline === undefined) continue;
    const due = part.device.deadline(machine.state.devices[part.name]!);
    if (due !== undefined && (earliest === undefined || due < earliest)) earliest = due;
  }
  return earliest;
}

function expireDevices(machine: Machine): void {
  const now = machine.host.now();
  machine.cpu = MAIN_LOOP;
  machine.parts.forEach((part, index) => {
    if (part.device.deadline === undefined) return;
    const state = machine.state.devices[part.name]!;
    const due = part.device.deadline(state);
    if (due !== undefined && due <= now) part.device.expire?.(state, machine.effects[index]!);
  });
}

function receiveSerial(machine: Machine, line: number, bytes: Uint8Array): void {
  const index = machine.parts.findIndex((part) => part.name === serialName(line));
  const part = machine.parts[index];
  if (part === undefined) return;
  machine.cpu = MAIN_LOOP;
  part.device.receive?.(machine.state.devices[part.name]!, bytes, machine.effects[index]!);
}

const MAIN_LOOP = -1;
