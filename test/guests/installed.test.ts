import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LONG, LONGEST } from '../how-long.ts';
import { type Aside, tool, without } from '../stepping-aside.ts';
import { guestFile, haveGuests, type Ran, retrovisor, scratchFolder } from './command-line.ts';
import { onQemu } from './on-qemu.ts';
import { expectConserves } from './conserved.ts';
import { answer, loggedIn, type Said, typed } from './sessions.ts';
import { expectFolds, expectReruns } from './trace-alone.ts';

const folder = scratchFolder();

const NO_DISK: Aside | undefined = haveGuests('bios-256k.bin', 'debian.raw', 'packages.raw', 'disk.json')
  ? undefined
  : { what: 'an installed Debian', why: 'It is not here: `npm run guests -- disk` makes it.', kind: 'tool' };

const DISKS = ['debian.raw', 'packages.raw'] as const;
/** Where the root file system begins in its disk's image; the other has no partition. */
const BEGINS = { 'debian.raw': '?offset=1048576', 'packages.raw': '' } as const;

interface Disks {
  readonly place: string;
}

/** Images of our own, as they were installed: a run that commits changes them. */
function freshDisks(name: string): Disks {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  for (const disk of DISKS) execFileSync('cp', ['--sparse=always', guestFile(disk), join(place, disk)]);
  return { place };
}

const machine = ({ place }: Disks, cpus: number): string[] => [
  ...['-bios', guestFile('bios-256k.bin'), '-m', '512', '-smp', `${cpus}`, '-nodefaults', '-serial', 'stdio'],
  ...DISKS.flatMap((disk) => ['-drive', `file=${join(place, disk)},format=raw,if=virtio`]),
];

/** Boot from the disk, log in, run commands. Time enough for a machine that others use too. */
function session(disks: Disks, cpus: number, said: readonly Said[], more: readonly string[]): Ran {
  const args = [...machine(disks, cpus), '-display', 'none', '--wall-clock', '1700000000', ...more];
  return retrovisor(['run', ...args, ...typed(said)], '', 90);
}

function expectReplays(trace: string): void {
  const { out, err, status } = retrovisor(['replay', trace], '', 90);
  expect(out + err).toContain('0 divergences');
  expect(status).toBe(0);
}

/** Powered off by itself, and the kernel complained of nothing. */
function expectCleanRun({ out, status }: Ran): void {
  expect(out).toContain('reboot: Power down');
  expect(out).not.toMatch(/WARNING:|BUG:|Oops|Call Trace|Kernel panic|rcu.*stall|I\/O error|EXT4-fs error|FAILED/);
  expect(status).toBe(0);
}

function expectCleanFileSystems({ place }: Disks): void {
  for (const disk of DISKS) {
    const { status, stdout } = spawnSync('e2fsck', ['-fn', `${join(place, disk)}${BEGINS[disk]}`], {
      encoding: 'utf8',
    });
    expect({ disk, status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('Pass 5') });
  }
}

/** What a person asks first. Not what differs between two processors, or from run to run. */
const ASKED = [
  'systemctl --failed --no-legend --no-pager',
  'lsblk',
  'mount',
  'apt list --installed 2>/dev/null',
  'lspci -vvv',
];
const INSTALL = ['mount /dev/vdb /mnt', 'dpkg -i /mnt/hello_*.deb', 'hello', 'sync'];

/** File systems are mounted in the order in which they come to be; the number of a pipe is chance. */
const asSet = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/pipe_ino=\d+/, '')).sort();

/** Two minutes of a processor for each way from power-on to power-off, of which others may leave little. */
const IN_TIME = { timeout: 90 * 60_000 };

describe('an installed Debian', { ...LONG, ...IN_TIME, ...without(NO_DISK) }, () => {
  const lacks = without(tool('qemu-system-x86_64'), tool('e2fsck'));

  test('starts from its disk, answers as on QEMU, takes a package, keeps it', lacks, async () => {
    const disks = freshDisks('one');
    const trace = join(folder, 'one.trace');
    const commands = ['systemctl is-system-running --wait', ...ASKED, ...INSTALL, 'poweroff'];
    const ran = session(disks, 1, loggedIn(...commands), ['--commit', '--trace', trace]);
    expectCleanRun(ran);
    expect(ran.out).toContain('Booting `Debian');
    expect(answer(ran.out, 'systemctl is-system-running --wait')).toEqual(['running']);
    expect(answer(ran.out, 'systemctl --failed --no-legend --no-pager')).toEqual([]);
    expect(answer(ran.out, 'hello')).toEqual(['Hello, world!']);
    const { packages } = JSON.parse(readFileSync(guestFile('disk.json'), 'utf8')) as { packages: object };
    // Its first line is a heading.
    expect(answer(ran.out, 'apt list --installed 2>/dev/null')).toHaveLength(1 + Object.keys(packages).length);

    const onDisks = machine(freshDisks('qemu'), 1);
    const qemu = await onQemu(onDisks, loggedIn(...commands));
    for (const command of ASKED) expect(asSet(answer(ran.out, command))).toEqual(asSet(answer(qemu, command)));
    expect(answer(ran.out, 'lspci -vvv')).toEqual(answer(qemu, 'lspci -vvv'));

    expectCleanFileSystems(disks);
    const asked = loggedIn('hello', 'dpkg-query -W hello', 'poweroff');
    const again = session(disks, 1, asked, ['--commit', '--no-trace']);
    expectCleanRun(again);
    expect(answer(again.out, 'hello')).toEqual(['Hello, world!']);
    expect(answer(again.out, 'dpkg-query -W hello').join()).toMatch(/^hello\t/);
    expectCleanFileSystems(disks);

    // Where the run found them, as they were then.
    freshDisks('one');
    const { popped, sectorsRead, sectorsWritten } = await expectConserves(trace);
    process.stdout.write(`${popped} chains, ${sectorsRead} sectors read and ${sectorsWritten} written, conserved\n`);
    expect(popped).toBeGreaterThan(1000);
    expect(sectorsRead).toBeGreaterThan(50_000);
    expect(sectorsWritten).toBeGreaterThan(1000);
    expectFolds(trace);
    await expectReruns(trace);
  });

  test('starts on two processors, each disk with a queue for either, and again within the run', LONGEST, () => {
    const trace = join(folder, 'two.trace');
    const queues = 'ls /sys/block/vda/mq /sys/block/vdb/mq';
    const write = 'head -c 3000000 /dev/urandom > kept; md5sum kept > sum';
    const first = ['nproc', 'systemctl --failed --no-legend --no-pager', queues, ...INSTALL, write, 'sync', 'reboot'];
    const said = [...loggedIn(...first), ...loggedIn('md5sum -c sum', 'hello -t', 'poweroff')];
    const ran = session(freshDisks('two'), 2, said, ['--trace', trace]);
    expectCleanRun(ran);
    expect(ran.out.match(/Linux version/g)).toHaveLength(2);
    expect(answer(ran.out, 'nproc')).toEqual(['2']);
    expect(answer(ran.out, 'systemctl --failed --no-legend --no-pager')).toEqual([]);
    expect(answer(ran.out, queues).join(' ').split(/ +/)).toEqual([
      '/sys/block/vda/mq:',
      '0',
      '1',
      '/sys/block/vdb/mq:',
      '0',
      '1',
    ]);
    expect(answer(ran.out, 'hello')).toEqual(['Hello, world!']);
    expect(answer(ran.out, 'md5sum -c sum')).toEqual(['kept: OK']);
    expect(answer(ran.out, 'hello -t')).toEqual(['hello, world']);
    expectReplays(trace);
    expectFolds(trace);
  });
});
