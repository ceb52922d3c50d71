import { createEngine } from '../../src/engine/index.ts';
import { type Costs, USUAL_PACE } from '../../src/events/costs.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { instantiate } from '../../src/host/wasm.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { GuestTime, InputSource, MachineParts } from '../../src/machine/parts.ts';
import type { MachineOptions } from '../../src/vmm/index.ts';
import { fakeMultiboot } from '../vmm/loaders/kernels.ts';
import { inputQueue, madeOf, pcOn } from './pc.ts';

/** Where the guest places pci-testdev's registers, and the port that ends the run. */
const PORTS = 0xc000;
const MMIO = 0xfebf_0000;
const EXIT = 0xf4;

const le32 = (value: number): readonly number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** mov edx, port; mov eax, value; out dx, eax or al. */
const out = (port: number, value: number, opcode: 0xef | 0xee): readonly number[] => [
  ...[0xba, ...le32(port)],
  ...[0xb8, ...le32(value), opcode],
];

const configure = (register: number, value: number): readonly number[] => [
  ...out(0xcf8, 0x8000_1000 + register, 0xef),
  ...out(0xcfc, value, 0xef),
];

/** BARs placed, I/O and memory on. */
export const PLACED = [...configure(0x10, MMIO), ...configure(0x14, PORTS), ...configure(4, 3)];
/** Of the tests: 0 none, 1 any value, 2 one value. */
export const choose = (test: number, space: 'ports' | 'memory' = 'ports'): readonly number[] =>
  space === 'ports' ? out(PORTS, test, 0xee) : [0xc6, 0x05, ...le32(MMIO), test];
/** A write that KVM takes for the eventfd of the test that was chosen. */
export const kick = (test: number, space: 'ports' | 'memory' = 'ports'): readonly number[] =>
  space === 'ports' ? out(PORTS + 128 + 3 + test, 0xfa, 0xee) : [0xc6, 0x05, ...le32(MMIO + 2048 + test), 0xfa];
/** In EBX how often the count was read until it was no longer 0. */
export const POLLED = [0x31, 0xdb, 0xba, ...le32(PORTS + 12), 0x43, 0xec, 0x84, 0xc0, 0x74, 0xfa];
/** mov ecx, times; loop. */
export const spin = (times: number): readonly number[] => [0xb9, ...le32(times), 0xe2, 0xfe];
export const ENDED = [0xb0, 7, 0xe6, EXIT];
/** cli; hlt. */
export const HALTED = [0xfa, 0xf4];

const KERNEL_AT = 0x110;

function options(code: readonly number[], smp = 1): MachineOptions {
  const bytes = fakeMultiboot(16 + code.length, 0x1000 + code.length);
  bytes.set(code, KERNEL_AT);
  const exit = { driver: 'isa-debug-exit', properties: { iobase: EXIT, iosize: 4 } };
  return {
    machine: 'pc',
    memory: 8,
    smp,
    kernel: { name: 'signalling.elf', bytes },
    devices: [{ driver: 'pci-testdev', properties: {} }, exit],
    serialLines: 1,
    noDefaults: true,
    noReboot: true,
  };
}

const processor = (time: GuestTime) =>
  createEngine({
    hostBytes: 16 << 20,
    instantiate,
    hostTsc: () => time.hostTsc(),
    tscPerTick: time.tscPerTick,
    random: (ticks) => time.random(ticks),
  });

export interface Signalling {
  readonly code: readonly number[];
  readonly costs?: Costs;
  readonly smp?: number;
  readonly inputs?: InputSource;
  readonly engine?: MachineParts['engine'];
  readonly onEvent?: (stamped: Stamped) => void;
}

export const signallingMade = ({ code, costs = USUAL_PACE.costs, smp }: Signalling) =>
  madeOf(options(code, smp), 0, costs);

/** A pc with pci-testdev in slot 2, whose guest is this code in flat 32-bit mode without interrupts. */
export function signallingMachine(run: Signalling): { readonly machine: Machine; readonly events: Stamped[] } {
  const { code, costs = USUAL_PACE.costs, smp, inputs = inputQueue(), engine = processor, onEvent } = run;
  const events: Stamped[] = [];
  const machine = pcOn(options(code, smp), {
    ...{ engine, inputs, costs, eventsPerDigest: 200 },
    onEvent(stamped) {
      events.push(stamped);
      onEvent?.(stamped);
    },
  });
  return { machine, events };
}
