import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type CpioEntry, cpioArchive } from '../../../scripts/cpio.ts';
import { modulesOf } from '../../../scripts/guests/initramfs.ts';
import { type Aside, tool } from '../../stepping-aside.ts';
import { guestFile } from '../command-line.ts';
import { noLinux } from '../linux/initramfs.ts';
import { vmlinux } from '../linux/vmlinux.ts';

/** What is missing for Linux machines that run `daemons.c`. */
export const noDaemons = (): Aside | undefined => noLinux() ?? tool('gcc') ?? tool('objcopy') ?? tool('lz4');

/** What of the kernel nobody here asks for, and what takes long of that: half of what a boot takes without. */
const QUICKLY =
  'console=ttyS0 quiet panic=-1 cryptomgr.notests=1 mitigations=off lsm=capability tsc=reliable initcall_blacklist=' +
  'tracer_init_tracefs,init_kprobe_trace,ftrace_check_for_weak_functions,slab_sysfs_init,' +
  'load_system_certificate_list,cubictcp_register,bpf_rstat_kfunc_init,bpf_prog_test_run_init,kfunc_init';

/** Files of machines whose only program is `daemons.c`. */
export interface Daemons {
  /** Options that all of them have. */
  readonly common: Readonly<Record<string, unknown>>;
  /** The program, with its symbols. */
  readonly program: string;
  /** The kernel's command line of one with these roles and addresses. */
  append(words: string): string;
}

/** Build them in a folder: Debian's kernel unpacked, and an archive with the program and the drivers of its cards. */
export function buildDaemons(folder: string): Daemons {
  const [kernel, initrd, program] = ['vmlinux', 'daemons.cpio', 'daemons'].map((name) => join(folder, name)) as [
    ...[string, string, string],
  ];
  writeFileSync(kernel, vmlinux(readFileSync(guestFile('vmlinuz'))));
  const source = join(import.meta.dirname, 'daemons.c');
  const flags = [
    '-O1',
    '-g',
    '-fno-inline',
    '-fno-pie',
    '-no-pie',
    '-static',
    `-ffile-prefix-map=${import.meta.dirname}=.`,
  ];
  execFileSync('gcc', [...flags, '-Wall', '-o', program, source]);
  const stripped = join(folder, 'init');
  execFileSync('objcopy', ['--strip-all', program, stripped]);
  const entries: CpioEntry[] = [
    ...['modules', 'dev'].map((name) => ({ kind: 'folder', name }) as const),
    { kind: 'character-device', name: 'dev/console', major: 5, minor: 1 },
    { kind: 'file', name: 'init', bytes: readFileSync(stripped), executable: true },
    ...driversIn(folder),
  ];
  writeFileSync(initrd, cpioArchive(entries));
  return {
    common: { kernel, initrd, m: 128, nodefaults: true, serial: 'stdio' },
    program,
    append: (words) => `${QUICKLY} ${words}`,
  };
}

/** Without what BPF would know of them, which takes the kernel longer to read than all else. */
function driversIn(folder: string): CpioEntry[] {
  const modules = [...modulesOf(dirname(guestFile('vmlinuz')), 'cloud')].filter(([name]) => !/_blk|-rng/.test(name));
  return modules.map(([, bytes], at) => {
    const path = join(folder, `${at}.ko`);
    writeFileSync(path, bytes);
    execFileSync('objcopy', ['-R', '.BTF', '-R', '.BTF_ids', path]);
    return { kind: 'file', name: `modules/${at}.ko`, bytes: readFileSync(path), executable: false };
  });
}
