import { dirname } from 'node:path';
import { type DebianKernel, writeInitramfs } from '../../../scripts/guests/initramfs.ts';
import { hasTools, toolEntries } from '../../../scripts/guests/tools.ts';
import { type Aside, tool } from '../../stepping-aside.ts';
import { guestFile, noGuests } from '../command-line.ts';

/** The kernel's file. */
const FILES: Readonly<Record<DebianKernel, string>> = { cloud: 'vmlinuz', generic: 'vmlinuz-generic' };

/** What is missing for a Linux with drivers. */
export const noLinux = (kernel: DebianKernel = 'cloud'): Aside | undefined =>
  noGuests(FILES[kernel], 'initramfs.gz', 'guests.json', ...(kernel === 'generic' ? ['net.json'] : [])) ??
  tool('dpkg-deb');

/** What is missing for programs that look at network cards. */
export const noTools = (): Aside | undefined =>
  noGuests('net.json') ?? (hasTools(dirname(guestFile('net.json'))) ? undefined : MISSING_TOOLS);

const MISSING_TOOLS: Aside = {
  what: 'tools for network cards',
  why: 'They are not here: `npm run guests -- net` fetches them.',
  kind: 'tool',
};

/** What of the kernel's tests of its own and of its reports is not waited for. */
const QUIETLY = 'console=ttyS0 panic=-1 quiet cryptomgr.notests=1';

/** Arguments that start Debian's kernel with an initramfs of `initramfs`; QEMU takes them, too. */
export const linuxWith = (initramfs: string, more = '', kernel: DebianKernel = 'cloud'): string[] => [
  ...['-kernel', guestFile(FILES[kernel]), '-initrd', initramfs, '-append', `${QUIETLY} rdinit=/script ${more}`.trim()],
  ...['-m', '256', '-nodefaults', '-serial', 'stdio', '-display', 'none'],
];

/** Write an initramfs that has Debian's drivers of virtio, and tools if asked, and runs a script. Returns its path. */
export const initramfs = (
  path: string,
  script: string,
  kernel: DebianKernel = 'cloud',
  { tools = false, vlans = false } = {},
): string => {
  const guests = dirname(guestFile('initramfs.gz'));
  return writeInitramfs(guests, path, script, { kernel, more: tools ? toolEntries(guests) : [], vlans });
};
