import { OTHERS_OF_QEMU } from './qemu-others.ts';
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
  serial: valued(
    'none, stdio, mon:stdio, file:PATH, pty, chardev:ID, unix:PATH, tcp:HOST:PORT or telnet:HOST:PORT, with ' +
      ',server=on; again for the next line (default mon:stdio)',
  ),
  chardev: valued(
    'stdio,id=ID | file,id=ID,path=PATH | socket,id=ID,path=PATH|port=PORT,server=on,wait=off | pty,id=ID | null,id=ID',
  ),
  debugcon: valued('stdio, file:PATH, pty or chardev:ID: the debug port 0xe9'),
  device: valued('DRIVER,PROPERTY=VALUE...: `-device help` lists drivers, `-device DRIVER,help` properties'),
  drive: valued(
    'file=PATH,if=virtio|none,format=raw,id=ID,readonly=on|off,cache=MODE,werror=,rerror=...: a disk. What the ' +
      'guest writes is kept in the run, and the image stays as it is, unless --commit is given; error=EIO,' +
      'op=read|write|flush,sector=N,at=2s,once=on: such requests fail; jitter=200us: each takes up to so much ' +
      'longer, by chance; again for the next',
  ),
  object: valued('iothread,id=ID | rng-builtin,id=ID: a thread devices act in, entropy for them; again for the next'),
  snapshot: flag('accepted: the default'),
  nodefaults: flag('no serial line unless asked for'),
  'no-reboot': flag('a reset ends the run'),
  'no-shutdown': flag('a guest that powers off leaves its machine standing, for the monitor and gdb'),
  action: valued('reboot=reset|shutdown, shutdown=poweroff|pause: as -no-reboot and -no-shutdown'),
  rtc: valued('base=utc|localtime|DATE: what the real-time clock starts from'),
  boot: valued('order=LETTERS,menu=on|off,strict=on|off,splash-time=MS,reboot-timeout=MS: told to the firmware'),
  smbios: valued('type=N,FIELD=TEXT...: what the tables say of types 1, 2, 3, 4, 11 and 17; again for the next'),
  uuid: valued('of the system: type 1 of -smbios'),
  fw_cfg: valued('name=opt/NAME,string=TEXT|file=FILE: a file for firmware and guest; again for the next'),
  gdb: valued('tcp::PORT: let a gdb come to the run; tcp:ADDRESS:PORT elsewhere than on the loopback interface'),
  s: flag('the same as -gdb tcp::1234'),
  S: flag("do not start: wait for gdb, or the monitor's `cont`"),
  display: valued('accepted: none'),
  nographic: flag('accepted: the default'),
  vga: valued('accepted: none'),
  netdev: valued('user,id=ID,... | hubport,id=ID,hubid=N,netdev=ID: a network for a -device NAME,netdev=ID'),
  nic: valued(
    'user,model=e1000|rtl8139|virtio-net-pci,mac=MAC,... | none: a network card with its network in one; again',
  ),
  net: valued('nic,model=...,macaddr=MAC,netdev=ID | user,... | none: a card or a network on hub 0; again'),
  machine: valued('accepted: pc; a FILE.json or FILE.yaml: several machines in one run, as docs/fabric.md has it'),
  accel: valued('accepted: kvm'),
  'enable-kvm': flag('accepted'),
  cpu: valued('processor model and features, like qemu64,-x2apic,vendor=AuthenticAMD'),
  monitor: valued('accepted: none'),
  parallel: valued('accepted: none'),
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
    if (token === '-help') out.push('--help');
    else if (spelling === undefined) {
      if (isNobodys(token)) throw unknown(token);
      out.push(token === '-M' ? '--machine' : token);
      if (token === '-m' || token === '-M' || OUR_VALUED.has(token)) out.push(...argv.slice(at + 1, (at += 1) + 1));
    } else {
      out.push(`--${name}`);
      if (spelling.argument && at + 1 < argv.length) out.push(argv[(at += 1)] as string);
    }
  }
  return out;
}

const OUR_VALUED = new Set([
  ...['--seed', '--trace', '--ticks', '--events', '--ns-per-tick', '--cost', '--wall-clock', '--type', '--kernel-name'],
  ...['--allow-write', '--tier'],
]);

/** An option that is neither QEMU's, as far as it is here, nor ours: those have two dashes, or one letter. */
function isNobodys(token: string): boolean {
  if (/^--/.test(token)) return token.slice(2) in OTHERS_OF_QEMU && !OUR_VALUED.has(token);
  if (token === '-M' || token === '-m' || token === '-h') return false;
  return /^-[a-z]/i.test(token) && (token.length > 2 || token.slice(1) in OTHERS_OF_QEMU);
}

function unknown(token: string): UsageProblem {
  const instead = OTHERS_OF_QEMU[token.replace(/^--?/, '')];
  if (instead !== undefined) return new UsageProblem(`${token} is not supported: ${instead}.`);
  return new UsageProblem(`Unknown option ${token}. \`retrovisor run --help\` lists those there are.`);
}
