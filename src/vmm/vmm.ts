import { fireTimer, isDue } from '../events/timers.ts';
import { MAIN_LOOP } from '../events/stamped.ts';
import type { Gpa } from '../base/units.ts';
import { readSpace } from './memory/address-space.ts';
import { rangeAt } from './memory/flat-view.ts';
import type { Origin } from '../events/origin.ts';
import type { MachineEvent } from '../events/vocabulary.ts';
import type { BulkRegion } from '../memory/pages.ts';
import type { KvmKernel } from '../kvm/api.ts';
import { KVM_RUN } from '../kvm/ioctl/ioctls.ts';
import { callOf, DeviceCall } from './board/device-call.ts';
import { dirtyRateDue, measureDirtyRate } from './dirty/rate.ts';
import { type Drive, shapeDrives } from './drives/drive.ts';
import { completeDue, goOn, resizeDrive } from './drives/requests.ts';
import type { VmmHost } from './host.ts';
import { type Board, Machine, type Part } from './board/machine.ts';
import { describeFlatView, type MemoryTree, memoryTrees } from './memory/mtree.ts';
import type { MachineOptions } from './options.ts';
import { buildMachine } from './pc/create.ts';
import { systemIo, systemMemory } from './pc/memory-map.ts';
import { redraw } from './pc/remap.ts';
import { awaitsAlarm, changePowerIfAsked } from './board/sleep.ts';
import { handleEventfd } from './main-loop/eventfd-handler.ts';
import { announce, announceDue } from './net/announce.ts';
import { readTap, wakeReaders } from './net/kernel.ts';
import { arriveDue, linkSet } from './net/wire.ts';
import { pulseNmi } from './accel/nmi.ts';
import { serviceExit } from './accel/service.ts';
import { serveVhost, type VhostRan, type VhostWork } from './vhost/worker.ts';

/** QEMU's process as the rest of the simulator sees it. What it raises comes from the `origin` it is given. */
export interface Vmm {
  /** Answer the exit a vCPU's KVM_RUN returned with. */
  service(vcpu: number, origin: Origin): void;
  /** Expire the devices' timers due at or before now, complete drives' requests, have packets arrive. False: none. */
  expire(origin: Origin): boolean;
  /** A thread found an eventfd of a device signalled. Returns how many elements it dealt with. */
  handle(fd: number, origin: Origin): number;
  /** The main loop found a tap readable, by its net client. Returns how many packets there were. */
  read(tap: string, origin: Origin): number;
  /** A worker of the kernel has something to do for a tap. Returns what it did. */
  serveVhost(work: VhostWork, origin: Origin): VhostRan;
  /** An input has arrived at a device, and changed its state. One for a device that is not there is nobody's. */
  receive(part: string, input: MachineEvent, origin: Origin): void;
  /** A person pressed reset. */
  pressReset(origin: Origin): void;
  /** A person pressed the button that interrupts every processor. */
  pressNmi(origin: Origin): void;
  /** A person wakes it, if it sleeps. */
  wakeUp(origin: Origin): void;
  /** A person gives a drive another size, in sectors. */
  resizeDrive(id: string, sectors: number, origin: Origin): void;
  /** A person has plugged or pulled the cable of a net client. */
  setLink(client: string, up: boolean, origin: Origin): void;
  /** A person wants cards to be announced, as an announcement of this name says. */
  announce(id: string, origin: Origin): void;
  /** A person wants to know how many pages are written, for as long as the state says. */
  measureDirtyRate(origin: Origin): void;
  /** A person lets it go on, if it stopped. */
  goOn(origin: Origin): void;
  /** It sleeps, and its clock is going to wake it. */
  readonly awaitsAlarm: boolean;
  /** A state that came from a checkpoint is in place: what follows from it is rebuilt. KVM is not asked. */
  restored(): void;
  /** Whose registers a guest-physical address is; undefined: it is memory's, or nobody's. */
  ownerOf(gpa: Gpa): string | undefined;
  /** What a read of registers gives. Whether it changes something is for the origin to see. */
  peek(gpa: Gpa, length: number, origin: Origin): Uint8Array;
  /** A device of the machine, for a stopped person: labels and values. */
  describeDevice(name: string): Readonly<Record<string, string>> | undefined;
  /** Bulk state of devices: what disks hold. */
  readonly regions?: readonly BulkRegion[];
  /** By their `id`. */
  readonly drives?: ReadonlyMap<string, Drive>;
  readonly deviceNames: readonly string[];
  /** `info mtree`. */
  memoryTrees(): readonly MemoryTree[];
  /** `info mtree -f`. */
  describeFlat(): string;
}

/** Build QEMU's `pc` machine on a KVM. */
export function createMachinePc(kernel: KvmKernel, options: MachineOptions, host: VmmHost, origin: Origin): Vmm {
  const board = buildMachine(kernel, options, host, origin);
  const by = (from: Origin): Machine => new Machine(board, from.by(MAIN_LOOP));
  return {
    service: (vcpu, from) => service(new Machine(board, from), vcpu),
    expire: (from) => expireDevices(by(from)),
    handle: (fd, from) => handleEventfd(new Machine(board, from), fd),
    read: (tap, from) => readTap(new Machine(board, from), tap, callOf),
    serveVhost: (work, from) => serveVhost(new Machine(board, from), work, callOf),
    receive: (part, input, from) => receive(by(from), part, input),
    pressReset: (from) => {
      by(from).askForReset('user');
      changePowerIfAsked(by(from));
    },
    pressNmi: (from) => pulseNmi(by(from)),
    wakeUp: (from) => {
      by(from).askForWakeup('other');
      changePowerIfAsked(by(from));
    },
    resizeDrive: (id, sectors, from) => resizeDrive(by(from), id, sectors, callOf),
    setLink: (client, up, from) => linkSet(by(from), client, up, callOf),
    announce: (id, from) => announce(by(from), id, callOf),
    measureDirtyRate: (from) => measureDirtyRate(by(from)),
    goOn: (from) => goOn(by(from)),
    get awaitsAlarm() {
      return awaitsAlarm(host.state);
    },
    restored: () => {
      shapeDrives(board.drives, host.state);
      redraw(board);
    },
    regions: [...board.drives.values()].map(({ bytes }) => bytes),
    drives: board.drives,
    deviceNames: board.parts.map((part) => part.name),
    ownerOf: (gpa) => {
      const leaf = rangeAt(board.memoryView, gpa)?.leaf;
      return leaf === undefined || leaf.hva !== undefined ? undefined : leaf.name;
    },
    peek: (gpa, length, from) => {
      const bytes = new Uint8Array(length);
      readSpace(new Machine(board, from).memory, gpa, { bytes, at: 0, length });
      return bytes;
    },
    describeDevice: (name) => describeDevice(board, name),
    memoryTrees: () => [...memoryTrees('memory', systemMemory(board)), ...memoryTrees('I/O', systemIo(board))],
    describeFlat: () => describeFlat(board),
  };
}

/** The exit is served, then a reset happens or the vCPU's thread is in KVM_RUN again. */
function service(machine: Machine, vcpu: number): void {
  const answer = serviceExit(machine, vcpu);
  if (machine.board.host.hasEnded || changePowerIfAsked(machine, { vcpu, answer })) return;
  machine.kvm.ioctl(machine.fds.vcpus[vcpu]!, KVM_RUN, answer);
}

function describeDevice(board: Board, name: string): Readonly<Record<string, string>> | undefined {
  const state = (board.host.state.devices as unknown as Readonly<Record<string, object | undefined>>)[name];
  const part = board.parts.find((candidate) => candidate.name === name);
  return state === undefined ? undefined : part?.device.describe(state);
}

function describeFlat({ memoryView, ioView }: Board): string {
  return `${describeFlatView('memory', 'system', memoryView)}\n\n${describeFlatView('I/O', 'io', ioView)}`;
}

/** Devices in the order they were made, each one's timers in its own; then drives, what arrives, announcements. */
function expireDevices(machine: Machine): boolean {
  let hasFired = false;
  for (const part of machine.parts) {
    for (const [timer, id] of part.timers) {
      if (!isDue(machine.state.timers, id, machine.now())) continue;
      hasFired = true;
      fire(machine, part, timer, id);
    }
  }
  if (completeDue(machine, callOf)) hasFired = true;
  if (arriveDue(machine, callOf)) hasFired = true;
  if (announceDue(machine, callOf)) hasFired = true;
  if (dirtyRateDue(machine)) hasFired = true;
  if (hasFired) changePowerIfAsked(machine);
  return hasFired;
}

function fire(machine: Machine, part: Part, timer: string, id: string): void {
  const { deadline } = machine.state.timers[id]!;
  const fired = machine.from(fireTimer(machine.state.timers, machine.origin, id));
  part.device.expire?.(machine.stateOf(part), timer, new DeviceCall(fired, part), deadline);
}

function receive(machine: Machine, name: string, input: MachineEvent): void {
  const part = machine.parts.find((candidate) => candidate.name === name);
  part?.device.receive?.(machine.stateOf(part), new DeviceCall(machine, part), input);
  if (input.kind === 'sim:packet_received' && part !== undefined) wakeReaders(machine, part);
  changePowerIfAsked(machine);
}
