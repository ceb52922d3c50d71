import { UsageProblem } from './usage.ts';

/** One option of QEMU's that `run` understands or accepts. `argument`: whether a value follows. */
interface Spelling {
  readonly argument: boolean;
  readonly help: string;
}

const flag = (help: string): Spelling => ({ argument: false, help });
const valued = (help: string): Spelling => ({ argument: true, help });

/** QEMU's long options with one dash, by name. Accepted ones change nothing: the machine is already so. */
export const QEMU_OPTIONS: Readonly<Record<string, Spelling>> = {
  kernel: valued('bzImage, multiboot or PVH kernel to load (default: our own guest)'),
  initrd: valued('initial RAM disk, or modules of a multiboot kernel: A ARGS,B ARGS'),
  append: valued("the kernel's command line"),
  bios: valued('firmware image that starts at the reset vector'),
  'option-rom': valued('option ROM for the firmware to start, like kvmvapic.bin'),
  smp: valued('number of processors, 1 to 4'),
  serial: valued('none, stdio, mon:stdio, file:PATH or chardev:ID; again for the next line (default mon:stdio)'),
  chardev: valued('stdio,id=ID | file,id=ID,path=PATH | null,id=ID'),
  debugcon: valued('stdio, file:PATH or chardev:ID: the debug port 0xe9'),
  device: valued('DRIVER,PROPERTY=VALUE...: `-device help` lists drivers, `-device DRIVER,help` properties'),
  nodefaults: flag('no serial line unless asked for'),
  'no-reboot': flag('a reset ends the run'),
  gdb: valued('tcp::PORT: let a gdb come to the run, on the loopback interface'),
  s: flag('the same as -gdb tcp::1234'),
  S: flag("do not start: wait for gdb, or the monitor's `cont`"),
  display: valued('accepted: none'),
  nographic: flag('accepted: the default'),
  vga: valued('accepted: none'),
  net: valued('accepted: none'),
  nic: valued('accepted: none'),
  machine: valued('accepted: pc'),
  accel: valued('accepted: kvm'),
  'enable-kvm': flag('accepted'),
  cpu: valued('processor model and features, like qemu64,-x2apic,vendor=AuthenticAMD'),
  monitor: valued('accepted: none'),
  name: valued('accepted'),
  'no-user-config': flag('accepted'),
  'no-hpet': flag('accepted'),
};

/** QEMU spells long options with one dash; give them the two that commander reads. Values are left alone. */
export function withTwoDashes(argv: readonly string[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const token = argv[at] as string;
    const name = token.startsWith('--') ? token.slice(2) : token.slice(1);
    const spelling = token.startsWith('-') ? QEMU_OPTIONS[name] : undefined;
    if (spelling === undefined) {
      if (/^-[a-z][a-z0-9-]+$/i.test(token) && token !== '-M') throw unknown(token);
      out.push(token === '-M' ? '--machine' : token);
      if (token === '-m' || token === '-M' || OUR_VALUED.has(token)) out.push(...argv.slice(at + 1, (at += 1) + 1));
      continue;
    }
    out.push(`--${name}`);
    if (spelling.argument && at + 1 < argv.length) out.push(argv[(at += 1)] as string);
  }
  return out;
}

const OUR_VALUED = new Set([
  ...['--seed', '--trace', '--ticks', '--events', '--ns-per-tick', '--cost', '--wall-clock', '--type'],
]);

function unknown(token: string): UsageProblem {
  const planned = NOT_YET[token.slice(1)];
  if (planned !== undefined) return new UsageProblem(`${token} is not supported: ${planned}.`);
  return new UsageProblem(`Unknown option ${token}. \`retrovisor run --help\` lists those there are.`);
}

/** Options of QEMU's people reach for, and what to say instead of "unknown". */
const NOT_YET: Readonly<Record<string, string>> = {
  drive: 'there are no disks yet; put files into the -initrd',
  hda: 'there are no disks yet; put files into the -initrd',
  cdrom: 'there are no disks yet; put files into the -initrd',
  netdev: 'there are no network cards yet',
  icount: 'time always is the count of instructions here (see --ns-per-tick)',
};
