import { assemble } from '../../src/runs/machine/assemble.ts';
import { NODE } from '../../src/host/node.ts';
import { loadImages } from '../../src/runs/machine/images.ts';
import { describeMachine } from '../../src/runs/machine/machine-description.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import type { Origin } from '../../src/events/origin.ts';
import { type Stamped, vcpuSource } from '../../src/events/stamped.ts';
import { cancelTimer, isDue, type Timers } from '../../src/events/timers.ts';
import type { Guest, Registers } from '../../src/x86/guest.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import type { MachineParts } from '../../src/machine/parts.ts';
import { untyped } from '../kvm/user-space.ts';

/** A machine of ours that an oracle leads instruction by instruction. */
export interface SteppedMachine {
  readonly machine: Machine;
  readonly engine: Guest;
  readonly registers: Registers;
  /** What the guest wrote to port 402h. */
  readonly debugcon: number[];
  /** Events as they come; whoever looks empties it. */
  readonly events: Stamped[];
  /** Guest-physical address of a linear one. */
  physical(linear: bigint): number | undefined;
  /** Guest memory by its memslots; does not cross a page. */
  readPhysical(gpa: number, length: number): Uint8Array | undefined;
  writePhysical(gpa: number, bytes: Uint8Array): void;
  /** An ioctl on the vCPU's descriptor. */
  vcpuIoctl(request: number, arg: unknown): number;
}

const PAGING = 1n << 31n;
/** KVM numbers its descriptors from here: src/kvm/ioctl/files.ts. */
const FIRST_FD = 10;

/** In place of a part's `expire`: whatever is due is stopped instead, and nobody hears of it. */
function stopDue(timers: Timers, now: number, origin: Origin): boolean {
  const due = Object.keys(timers).filter((id) => isDue(timers, id, now));
  for (const id of due) cancelTimer(timers, origin, id);
  return due.length > 0;
}

/** Parts whose timers never expire. */
const withoutTimers = ({ kvm, vmm }: MachineParts): Pick<MachineParts, 'kvm' | 'vmm'> => ({
  kvm: (processor, host) => ({
    ...kvm(processor, host),
    expire: (origin) => stopDue(host.state.timers, host.now(), origin),
  }),
  vmm: (kernel, host, powerOn) => ({
    ...vmm(kernel, host, powerOn),
    expire: (origin) => stopDue(host.state.timers, host.now(), origin),
  }),
});

/** Build the machine `retrovisor run ARGS` would, without recording. One vCPU. `timers`: whether they ever expire. */
export function steppedMachine(args: readonly string[], timers = true): SteppedMachine {
  const options = runOptions([...args, '--no-trace', '--wall-clock', '1700000000']);
  const { kernel, initrd, bios, optionRom } = options;
  const images = loadImages(NODE, { kernel, initrd, bios, 'option-rom': optionRom });
  const debugcon: number[] = [];
  const events: Stamped[] = [];
  const parts = assemble({
    world: NODE,
    description: { ...describeMachine(options, {}), digestEvery: 0 },
    images,
    seed: 'oracle',
    wallClockAtPowerOn: options.wallClock ?? 0n,
    inputs: { peek: () => undefined, take: () => undefined },
    onEvent(stamped) {
      events.push(stamped);
      if (stamped.event.kind === 'sim:chardev_sent') debugcon.push(...stamped.event.bytes);
    },
  });
  const made = { ...parts, ...(timers ? {} : withoutTimers(parts)) };
  let origin: Origin | undefined;
  const machine = createMachine({
    ...made,
    vmm(kernel, host, powerOn) {
      origin = powerOn.by(vcpuSource(0));
      return made.vmm(kernel, host, powerOn);
    },
  });
  const { engine } = machine;
  const registers = engine.registers(0);
  const hva = (gpa: number): number | undefined => {
    const frame = Math.floor(gpa / PAGE);
    const { slots } = machine.state.kvm.vm!;
    const slot = slots.find((s) => frame >= s.baseGfn && frame < s.baseGfn + s.npages);
    return slot === undefined ? undefined : slot.hva + gpa - slot.baseGfn * PAGE;
  };
  return {
    machine,
    engine,
    registers,
    debugcon,
    events,
    physical(linear) {
      return (registers.cr0 & PAGING) === 0n ? Number(linear & 0xffffffffn) : engine.translate(0, linear)?.gpa;
    },
    vcpuIoctl(request, arg) {
      const index = machine.state.kvm.files.findIndex((file) => file.kind === 'vcpu');
      return untyped(machine.kvm.calledBy(origin!)).ioctl(FIRST_FD + index, request, arg);
    },
    readPhysical(gpa, length) {
      const at = hva(gpa);
      return at === undefined ? undefined : engine.readHost(at, length);
    },
    writePhysical(gpa, bytes) {
      const at = hva(gpa);
      if (at !== undefined) engine.writeHost(at, bytes);
    },
  };
}

const CS = 1;
const PAGE = 4096;
const LONGEST = 15;

/** The instruction pointer as a linear address. */
export function linearIp(registers: Registers): bigint {
  return is64Bit(registers) ? registers.rip : (registers.segment(CS).base + registers.rip) & 0xffffffffn;
}

/** Up to 15 bytes at a linear address, as many as are mapped. */
export function bytesAt(stepped: SteppedMachine, linear: bigint): Uint8Array {
  const parts: number[] = [];
  while (parts.length < LONGEST) {
    const at = linear + BigInt(parts.length);
    const gpa = stepped.physical(at);
    if (gpa === undefined) break;
    const length = Math.min(LONGEST - parts.length, PAGE - (gpa % PAGE));
    const piece = stepped.readPhysical(gpa, length);
    if (piece === undefined) break;
    parts.push(...piece);
  }
  return Uint8Array.from(parts);
}

/** Long mode and a 64-bit code segment. */
export function is64Bit(registers: Registers): boolean {
  const LMA = 0x400n;
  const LONG = 1 << 13;
  return (registers.efer & LMA) !== 0n && (registers.segment(CS).access & LONG) !== 0;
}

/** How KVM's tracepoint kvm_emulate_insn names the mode. */
export function modeName(registers: Registers): string {
  if ((registers.cr0 & 1n) === 0n) return 'real';
  if ((registers.rflags & 0x20000n) !== 0n) return 'vm16';
  if (is64Bit(registers)) return 'prot64';
  return (registers.segment(CS).access & (1 << 14)) !== 0 ? 'prot32' : 'prot16';
}
