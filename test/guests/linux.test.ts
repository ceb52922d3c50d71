import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { guestFile, haveGuests, type Ran, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();

/** Boot Debian's kernel to the busybox shell, type the lines, power off. */
function boot(trace: string, lines: readonly string[], ...options: readonly string[]): Ran {
  const kernel = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz'), '-m', '256'];
  const typed = lines.flatMap((line) => ['--type', `after:/ # :${line}\\n`]);
  const append = options.includes('-append') ? [] : ['-append', 'console=ttyS0 panic=-1'];
  return retrovisor(['run', ...kernel, ...append, ...options, '--trace', trace, '--ticks', '20000000000', ...typed]);
}

const isQuiet = (log: string): boolean => !/WARNING:|BUG:|Oops|Marking TSC unstable|Kernel panic/.test(log);

describe.skipIf(!haveGuests('vmlinuz', 'initramfs.gz'))("Debian's cloud kernel", () => {
  test.each([1, 2, 4])('boots on %d processors to a shell, powers off, and replays', (cpus) => {
    const trace = join(folder, `linux-${cpus}.trace`);
    const lines = ['nproc', 'cat /proc/interrupts', 'poweroff -f'];
    const { status, out } = boot(trace, lines, '-smp', String(cpus));
    expect(out).toContain('Hypervisor detected: KVM');
    expect(out).toContain('kvm-clock');
    expect(out).toMatch(new RegExp(`^${cpus}\\r?$`, 'm'));
    expect(isQuiet(out)).toBe(true);
    expect(status).toBe(0);
    const replayed = retrovisor(['replay', trace]);
    expect(replayed.out + replayed.err).toContain('0 divergences');
    expect(replayed.status).toBe(0);
  });

  test('boots with the IOAPIC switched off', () => {
    const options = ['-append', 'console=ttyS0 panic=-1 noapic'];
    const { status, out } = boot(join(folder, 'noapic.trace'), ['poweroff -f'], ...options);
    expect(isQuiet(out)).toBe(true);
    expect(status).toBe(0);
  });

  test.skipIf(!haveGuests('bios-256k.bin'))('boots through SeaBIOS', () => {
    const { status, out } = boot(join(folder, 'bios.trace'), ['poweroff -f'], '-bios', guestFile('bios-256k.bin'));
    expect(isQuiet(out)).toBe(true);
    expect(status).toBe(0);
  });
});
