import { closeSync, openSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LONGEST } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { printOrigins } from '../oracle/interrupts/origins.ts';
import { guestFile, noGuests, type Ran, retrovisor, scratchFolder } from './command-line.ts';
import { RECOUNTED, recount } from '../replay/export/recount.ts';
import { expectFolds, expectReruns } from './trace-alone.ts';

const folder = scratchFolder();
const missing = noGuests('vmlinuz', 'initramfs.gz', 'bios-256k.bin');

/** The kernel's tests of its own ciphers are more than half of a boot: 0.9 of 1.5 thousand million instructions. */
const SHORT = 'console=ttyS0 panic=-1 cryptomgr.notests=1';

/** Boot Debian's kernel to the busybox shell by `run` with these options, `typed` on standard input. */
function boot(
  name: string,
  append: string,
  options: readonly string[],
  typed: string | number = '',
  ending: readonly string[] = ['-no-reboot'],
): Ran & { readonly trace: string } {
  const trace = join(folder, `${name}.trace`);
  const kernel = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz'), '-append', append];
  const machine = [...'-m 256 -nodefaults -display none -serial stdio --ticks 10000000000'.split(' '), ...ending];
  return { trace, ...retrovisor(['run', ...kernel, ...machine, '--trace', trace, ...options], typed) };
}

/** Options that type each line at a prompt of its own. */
const atPrompt = (...lines: readonly string[]): string[] =>
  lines.flatMap((line) => ['--type', `after:/ # :${line}\\n`]);

/** A trace replays in a second process; the digest it ends at. */
function replayedDigest(trace: string): string {
  const { status, out, err } = retrovisor(['replay', trace]);
  expect(out + err).toContain('0 divergences');
  expect(status).toBe(0);
  return /digest ([0-9a-f]+)/.exec(out)?.[1] ?? '';
}

/** One recording is replayed, folded and run again on its tape. Returns the digest of the replay. */
async function expectFollows(trace: string): Promise<string> {
  const digest = replayedDigest(trace);
  console.log(`${basename(trace, '.trace')}: ${printOrigins(expectFolds(trace))}`);
  await expectReruns(trace);
  return digest;
}

/** Writes of the guest's page tables are on record too. */
const PAGE_TABLES = ['--events', 'guest-pt'] as const;

/** The kernel found its hypervisor and clock, complained of nothing and powered off. */
function expectCleanRun({ status, out, err }: Ran): void {
  expect(err.split('\n')).toHaveLength(3);
  expect(out).toContain('Hypervisor detected: KVM');
  expect(out).toContain('kvm-clock: Using msrs 4b564d01 and 4b564d00');
  expect(out).not.toMatch(/WARNING:|BUG:|Oops|Call Trace|Marking TSC unstable|Kernel panic|rcu.*stall/);
  expect(out).toContain('reboot: Power down');
  expect(status).toBe(0);
}

interface InterruptLine {
  readonly counts: readonly number[];
  readonly controller: string;
}

/** The table /proc/interrupts prints, by its first column. */
function interruptTable(out: string): Map<string, InterruptLine> {
  const lines = [...out.matchAll(/^ *(\w+):((?: +\d+)+)(?: +(\S.*?))?\r?$/gm)];
  return new Map(
    lines.map(([, name = '', counts = '', controller = '']) => [
      name,
      { counts: counts.trim().split(/ +/).map(Number), controller },
    ]),
  );
}

function expectSaneInterrupts(out: string, controller: RegExp, cpus: number): void {
  const table = interruptTable(out);
  const total = (name: string): number => (table.get(name)?.counts ?? []).reduce((sum, count) => sum + count, 0);
  expect(table.get('0')?.controller).toMatch(controller);
  expect(table.get('4')?.controller).toMatch(controller);
  expect(total('0')).toBeGreaterThan(0);
  expect(total('4')).toBeGreaterThan(0);
  expect(table.get('LOC')?.counts).toHaveLength(cpus);
  for (const count of table.get('LOC')?.counts ?? []) expect(count).toBeGreaterThan(0);
  for (const name of ['NMI', 'SPU', 'ERR', 'MIS']) expect([name, total(name)]).toEqual([name, 0]);
}

/** The events that a recount of a run's statistics looks at, as `events --json` prints them. */
const printedLines = (trace: string): string[] =>
  retrovisor(['events', trace, '--json', '--event', RECOUNTED.join(',')])
    .out.trim()
    .split('\n');

describe("Debian's cloud kernel", without(missing), () => {
  test('boots to a shell, runs what is typed, powers off, replays, folds and reruns', async () => {
    const ran = boot('direct', 'console=ttyS0 panic=-1', atPrompt('nproc', 'cat /proc/interrupts', 'poweroff -f'));
    expectCleanRun(ran);
    expect(ran.out).toMatch(/^1\r?$/m);
    expectSaneInterrupts(ran.out, /IO-APIC/, 1);
    const digest = await expectFollows(ran.trace);
    const folded = retrovisor(['fold', ran.trace]);
    expect(folded.out + folded.err).toContain('slices equal');
    expect(/digest ([0-9a-f]+)/.exec(folded.out)?.[1]).toBe(digest.slice(0, 16));
    for (const event of ['vmexit', 'ioport', 'mmio', 'msr', 'cpuid']) {
      const rows = retrovisor(['stat', ran.trace, '--event', event, '--json']).out.trim().split('\n');
      const counted = recount(printedLines(ran.trace), event);
      expect(counted.length).toBeGreaterThan(1);
      expect(rows.map((row) => JSON.parse(row))).toEqual(counted);
    }
    expect(retrovisor(['console', ran.trace, '--raw']).out).toBe(ran.out);
  });

  test('boots on 2 processors, each seed its own way, and all follows from the traces', async () => {
    const digests: string[] = [];
    for (const [seed, more] of [
      ['a', []],
      ['b', PAGE_TABLES],
    ] as const) {
      const options = ['-smp', '2', '--seed', seed, '--wall-clock', '1795446893', ...more];
      const ran = boot(`smp2-${seed}`, SHORT, [...options, ...atPrompt('nproc', 'poweroff -f')]);
      expectCleanRun(ran);
      expect(ran.out).toMatch(/^2\r?$/m);
      digests.push(await expectFollows(ran.trace));
    }
    expect(digests[0]).not.toBe(digests[1]);
  });

  test('boots on 4 processors, and all follows from the trace, page tables too', LONGEST, async () => {
    const ran = boot('smp4', SHORT, ['-smp', '4', ...PAGE_TABLES, ...atPrompt('nproc', 'poweroff -f')]);
    expectCleanRun(ran);
    expect(ran.out).toMatch(/^4\r?$/m);
    await expectFollows(ran.trace);
  });

  test('boots on 4 processors through SeaBIOS and our option ROM, and all follows from the trace', async () => {
    const lines = atPrompt('nproc', 'cat /proc/interrupts', 'poweroff -f');
    const ran = boot('seabios', SHORT, ['-smp', '4', '-bios', guestFile('bios-256k.bin'), ...lines]);
    expectCleanRun(ran);
    expect(ran.out).toMatch(/DMI: .*BIOS 1\.\d+/);
    expect(ran.out).toMatch(/^4\r?$/m);
    expectSaneInterrupts(ran.out, /IO-APIC/, 4);
    await expectFollows(ran.trace);
  });

  test('boots with the IOAPIC switched off, its interrupts through the two PICs, and says why each came', () => {
    const ran = boot('noapic', `${SHORT} noapic`, atPrompt('cat /proc/interrupts', 'poweroff -f'));
    expectCleanRun(ran);
    expectSaneInterrupts(ran.out, /XT-PIC/, 1);
    console.log(`noapic: ${printOrigins(expectFolds(ran.trace))}`);
  });

  test('reads what is piped in, once its shell has opened the line, and all follows from the trace', async () => {
    const ran = boot('piped', SHORT, PAGE_TABLES, 'echo $((6*7))\npoweroff -f\n');
    expectCleanRun(ran);
    expect(ran.out).toMatch(/^42\r?$/m);
    await expectFollows(ran.trace);
  });

  test('lies above 2 GiB where there is so much memory, and restarts by a triple fault when told to', () => {
    const append = `${SHORT} reboot=t`;
    const options = ['-m', '3000', ...atPrompt('grep Kernel /proc/iomem', 'reboot -f')];
    const where = /vCPU 0 met a triple fault at rip 0x[0-9a-f]+, tick (\d+): an exception whose handler could not/;
    const ended = boot('ended', append, options);
    const [, from = ''] = /^ *([0-9a-f]+)-[0-9a-f]+ : Kernel code/m.exec(ended.out) ?? [];
    expect(Number.parseInt(from, 16)).toBeGreaterThan(2 ** 31);
    expect(ended.out).toContain('reboot: machine restart');
    expect([ended.status, where.test(ended.err)]).toEqual([4, true]);
    replayedDigest(ended.trace);
    const enough = Number(where.exec(ended.err)?.[1]) + 400_000_000;
    const again = boot('again', append, [...options, '--ticks', `${enough}`], '', []);
    expect(again.err).toMatch(/vCPU 0 met a triple fault at rip 0x[0-9a-f]+, tick \d+: the machine resets/);
    expect(again.out.match(/Linux version/g)).toHaveLength(2);
    replayedDigest(again.trace);
  });

  test('comes to its end before an input without one', () => {
    const zeros = openSync('/dev/zero', 'r');
    const poweringOff = `${SHORT} rdinit=/bin/busybox -- poweroff -f`;
    // Twice what it takes.
    const ran = boot('endless', poweringOff, ['--ticks', '1200000000'], zeros);
    closeSync(zeros);
    expect(ran.out).toContain('reboot: Power down');
    expect(ran.status).toBe(0);
    expect(replayedDigest(ran.trace)).not.toBe('');
  });
});
