import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LONG } from '../how-long.ts';
import { tool, without } from '../stepping-aside.ts';
import { endedAt } from './on-qemu.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';
import { expectFolds, expectReruns } from './trace-alone.ts';

const folder = scratchFolder();
const QEMU = 'qemu-system-x86_64';

/** Xen with Debian's kernel as its first domain, which powers off from its initramfs before it has another console. */
const argv = [
  ...'-m 512 -nodefaults -no-reboot -serial stdio'.split(' '),
  ...['-kernel', guestFile('xen'), '-append', 'console=com1 com1=115200,8n1 loglvl=all'],
  '-initrd',
  `${guestFile('vmlinuz')} console=hvc0 earlyprintk=xen panic=-1 rdinit=/bin/busybox -- poweroff -f,` +
    guestFile('initramfs.gz'),
];

/** Who the processor is, how fast, what it can and which form its IOAPIC has: TCG's are others than KVM's. */
const DEPENDS_ON_PROCESSOR =
  /CPU|IOAPIC|APIC driver|icrocode|SSBD|SPEC|Hardware|BTI|XPTI|MHz|TSC|mwait|HVM|SVM|xstate|xenoprof|Support|none/;
/** Our own names, and what KVM keeps at the end of 4 GiB and QEMU on AMD at the end of 1 TiB. */
const DEPENDS_ON_HOST =
  /Bootloader|RAM map|feffc000|fd00000000|Dom0 alloc|Phys-Mach|Page tables|Boot stack|VIRTUAL|wall/;

const xenLines = (text: string): string[] =>
  text
    .replaceAll('\r', '')
    .split('\n')
    .filter((line) => line.startsWith('(XEN)') && !DEPENDS_ON_PROCESSOR.test(line) && !DEPENDS_ON_HOST.test(line));

const missing = noGuests('xen', 'vmlinuz', 'initramfs.gz');

describe('Xen with a Linux as module', without(missing), () => {
  const trace = join(folder, 'xen.trace');
  let out = '';

  test('boots it to its first process, and the run is held by its trace', LONG, async () => {
    out = retrovisor(['run', ...argv, '--wall-clock', '1700000000', '--trace', trace]).out;
    expect(out).toContain('Dom0 has maximum 1 VCPUs');
    expect(out).toContain('Run /bin/busybox as init process');
    expect(out).toContain('Hardware Dom0 halted: halting machine');
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expectFolds(trace);
    await expectReruns(trace);
  });

  test('says what it says on QEMU', { ...LONG, ...without(tool(QEMU)) }, async () => {
    // Xen's last word leaves the machine halted, and QEMU waits on.
    const qemu = await endedAt(/halting machine/, ['-vga', 'none', ...argv]);
    expect(xenLines(qemu).length).toBeGreaterThan(60);
    expect(xenLines(out)).toEqual(xenLines(qemu));
  });
});
