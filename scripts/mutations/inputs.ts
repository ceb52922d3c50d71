/** Recorded runs that a wrong table, or whoever decides wrongly, must not agree with; the cheap ones first. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { recordStorm } from '../../test/sim/storm/record.ts';
import { type CallStorm, recordCalls } from '../../test/sim/storm/record-calls.ts';
import type { Came, Tree } from './tree.ts';

/**
 * fold: the table alone. states: the same through Immer. rerun: hypervisor and devices too. replay: all of it.
 * again: the calls of a monitor are made again.
 */
export type Way = 'fold' | 'states' | 'rerun' | 'replay' | 'again';

/** The name of a way through an input. */
export const passOf = (way: Way, input: string): string => `${way} of ${input}`;

export interface Input {
  readonly name: string;
  readonly trace: string;
  /** How it can be gone through, to see what it reaches. */
  readonly ways: readonly Way[];
  /** The monitor that made the calls: no machine of ours runs these again. */
  readonly calls?: CallStorm;
}

/** Go through an input one way. */
export function go(
  tree: Tree,
  way: Way,
  { trace, calls }: Input,
  seconds: number,
  environment?: NodeJS.ProcessEnv,
): Came {
  if (way === 'states') return tree.program(['states.ts', trace], seconds, environment);
  if (way === 'again') return tree.program(['calls-again.ts', trace, JSON.stringify(calls)], seconds, environment);
  return tree.run([way, trace], seconds, environment);
}

interface Planned {
  readonly name: string;
  /** How it is recorded: options of `retrovisor run`. */
  readonly args: readonly string[];
}

const MACHINE = [
  '-nodefaults',
  '-device',
  'pc-testdev',
  '-device',
  'isa-debug-exit,iobase=0xf4,iosize=0x4',
  '-m',
  '256',
];

const kut = (folder: string, flat: string, cpus: number, ...options: readonly string[]): Planned => ({
  name: `kut-${flat}-smp${cpus}`,
  args: [...MACHINE, '-serial', 'null', '-smp', `${cpus}`, '-kernel', join(folder, `${flat}.flat`), ...options],
});

/** Tests of kvm-unit-tests that are short and about what KVM keeps. */
const kuts = (folder: string): Planned[] => [
  kut(folder, 'setjmp', 1),
  kut(folder, 'eventinj', 1),
  kut(folder, 'init', 1),
  kut(folder, 'debug', 1),
  kut(folder, 'ioapic', 4, '-cpu', 'qemu64,+x2apic'),
  kut(folder, 'hypercall', 1),
  kut(folder, 'tsc_adjust', 1, '-cpu', 'max'),
  kut(folder, 'emulator', 1),
];

const boot = (cpus: number, guests: string): Planned => ({
  name: `debian-smp${cpus}`,
  args: [
    ...['-m', '256', '-smp', `${cpus}`, '-nodefaults', '-serial', 'null', '--events', 'guest-pt'],
    ...['-kernel', join(guests, 'vmlinuz'), '-initrd', join(guests, 'initramfs.gz')],
    ...['-append', 'console=ttyS0 panic=-1 rdinit=/bin/busybox -- poweroff -f'],
  ],
});

/** Storms over the registers of every device; slow ones reach what takes seconds. */
const STORMS = [
  { seed: 'mutations', cpus: 1, recipes: 1500 },
  { seed: 'mutations', cpus: 3, recipes: 700 },
  { seed: 'slow', cpus: 1, recipes: 3000, nsPerTick: 2000 },
  { seed: 'slow', cpus: 2, recipes: 800, nsPerTick: 20_000 },
  { seed: 'standing', cpus: 1, recipes: 20, stands: true, alone: true },
  { seed: 'panic', cpus: 1, recipes: 10, panics: true },
  { seed: 'no-reboot', cpus: 1, recipes: 300, noReboot: true },
] as const;

/** Monitors that make every call. */
const CALLERS: readonly CallStorm[] = [
  { seed: 'mutations', cpus: 2, irqchip: true, visits: 4000 },
  { seed: 'mutations', cpus: 1, irqchip: false, visits: 3000 },
];

interface Forked {
  readonly name: string;
  /** The input that is forked, and where. */
  readonly of: string;
  readonly at: string;
  /** What a person changes there. */
  readonly changes: readonly string[];
}

/** Something of each kind; and what no guest can bring about: modem lines that move, channels that end, SMM. */
const FORKS: readonly Forked[] = [
  {
    name: 'fork',
    of: 'tour',
    at: 'kvm_apic_accept_irq',
    changes: ['drop irq 0x40', 'raise irq 0x50', 'rax=5', 'mem:0x1000=c3', 'state kvm.vcpus.0.mpState=0'],
  },
  {
    name: 'fork-of-storm',
    of: 'storm-mutations-smp1',
    at: '2000',
    changes: [
      'state vmm.devices.serial0.msr=191',
      'state vmm.devices.serial1.msr=191',
      'state vmm.devices.i8237.controllers.0.status=15',
      'state vmm.devices.i8237.controllers.1.status=15',
      'state vmm.devices.piix4-pm.smm=true',
    ],
  },
];

/** Record what is not there yet, with the sources as they are; `say` hears of each. */
export function recordInputs(tree: Tree, root: string, folder: string, say: (line: string) => void): Input[] {
  const inputs: Input[] = [];
  const missing = (name: string, trace: string, more: Partial<Input> = {}): boolean => {
    inputs.push({ name, trace, ways: ['fold', 'rerun'], ...more });
    if (existsSync(trace)) return false;
    say(`recording ${name}`);
    return true;
  };
  for (const storm of STORMS) {
    const name = `storm-${storm.seed}-smp${storm.cpus}`;
    if (missing(name, join(folder, `${name}.trace`), { ways: ['fold', 'states', 'rerun', 'replay'] })) {
      recordStorm({ ...storm, folder });
    }
  }
  for (const storm of CALLERS) {
    const name = `calls-${storm.irqchip ? 'irqchip' : 'bare'}`;
    const trace = join(folder, `${name}.trace`);
    if (missing(name, trace, { calls: storm, ways: ['fold', 'states', 'again'] })) recordCalls(storm, trace);
  }
  const tour = join(root, 'traces/tour.trace');
  missing('tour', tour, { ways: ['fold', 'states', 'rerun'] });
  missing('tour-smp4', join(root, 'traces/tour-smp4.trace'));
  for (const { name, of, at, changes } of FORKS) {
    const trace = join(folder, `${name}.trace`);
    const parent = inputs.find((input) => input.name === of) as Input;
    if (!missing(name, trace)) continue;
    const set = changes.flatMap((change) => ['--set', change]);
    tree.run(['fork', parent.trace, '--at', at, ...set, '--trace', trace], 240);
  }
  const guests = join(root, '.guests');
  const flats = process.env['RETROVISOR_KUT'];
  const hasGuests = existsSync(join(guests, 'vmlinuz'));
  if (hasGuests) missing('seabios', join(root, 'traces/seabios.trace'));
  const planned = [
    ...(flats === undefined ? [] : kuts(flats)),
    ...(hasGuests ? [boot(1, guests), boot(2, guests)] : []),
  ];
  for (const { name, args } of planned) {
    const trace = join(folder, `${name}.trace`);
    // Of what two processors boot, the table is enough: the rest was reached by one.
    const more = name === 'debian-smp2' ? { ways: ['fold'] as const } : {};
    if (missing(name, trace, more)) tree.run(['run', ...args, '--wall-clock', '1795447059', '--trace', trace], 600);
  }
  return inputs;
}
