/** Recorded runs that a wrong table, or whoever decides wrongly, must not agree with; the cheap ones first. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { recordStorm } from '../../test/sim/storm/record.ts';
import type { Tree } from './tree.ts';

export interface Input {
  readonly name: string;
  readonly trace: string;
  /** It is no machine of ours that runs it: it can only be folded. */
  readonly isStaged?: true;
  /** What the processor itself tells comes only with a replay: of these it is looked at. */
  readonly replays?: true;
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

const FOLDED_ONLY = /^staged-.*\.trace$/;

/** Record what is not there yet, with the sources as they are; `say` hears of each. */
export function recordInputs(tree: Tree, root: string, folder: string, say: (line: string) => void): Input[] {
  const storms = [
    { seed: 'mutations', cpus: 1, recipes: 1500 },
    { seed: 'mutations', cpus: 3, recipes: 700 },
    { seed: 'again', cpus: 1, recipes: 1500 },
  ];
  const inputs: Input[] = [];
  const guests = join(root, '.guests');
  for (const storm of storms) {
    const trace = join(folder, `storm-${storm.seed}-smp${storm.cpus}.trace`);
    if (!existsSync(trace)) say(`recorded ${recordStorm({ ...storm, folder }).events} events: ${trace}`);
    inputs.push({ name: `storm-${storm.seed}-smp${storm.cpus}`, trace, replays: true });
  }
  for (const name of readdirSync(folder).filter((each) => FOLDED_ONLY.test(each))) {
    inputs.push({ name: name.replace(/\.trace$/, ''), trace: join(folder, name), isStaged: true });
  }
  for (const name of ['tour', 'tour-smp4']) inputs.push({ name, trace: join(root, `traces/${name}.trace`) });
  const flats = process.env['RETROVISOR_KUT'];
  const tests = flats === undefined ? [] : kuts(flats);
  const boots = existsSync(join(guests, 'vmlinuz')) ? [boot(1, guests), boot(2, guests)] : [];
  if (boots.length > 0) inputs.push({ name: 'seabios', trace: join(root, 'traces/seabios.trace') });
  for (const { name, args } of [...tests, ...boots]) {
    const trace = join(folder, `${name}.trace`);
    if (!existsSync(trace)) {
      const { status } = tree.run(['run', ...args, '--wall-clock', '1795447059', '--trace', trace], 600);
      say(`recorded, status ${status}: ${trace}`);
    }
    inputs.push({ name, trace });
  }
  return inputs;
}
