import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { writeInitramfs } from '../../scripts/guests/initramfs.ts';
import { LONG } from '../how-long.ts';
import { tool, without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const MAC = '52:54:00:12:34:56';

/** Accesses of the controller's registers in a listing of QEMU's or of ours: which way, where, and what. */
function accesses(listing: string): string[] {
  const lines = listing.matchAll(
    /memory_region_ops_(read|write):? cpu 0 .*?addr (0x[0-9a-f]+) value (0x[0-9a-f]+) size 4 name 'e1000-(mmio|io)'/g,
  );
  return [...lines].map(([, way, address, value, where]) => `${where} ${way} ${address} ${value}`);
}

/** Where a driver's rings lie is up to its memory. */
const RING = /^mmio write 0xfebe(38|28)00 /;

const withoutRings = (lines: readonly string[]): string[] =>
  lines.map((line) => (RING.test(line) ? `${line.slice(0, 'mmio write 0xfebe3800'.length)} a ring` : line));

/** Reads of ICR that find nothing, of a driver that polls: one stands for as many as come after another. */
const polled = (lines: readonly string[]): string[] =>
  lines.filter((line, at) => !line.endsWith('00c0 0x0') || line !== lines[at - 1]);

const recorded = (name: string): string =>
  gunzipSync(readFileSync(new URL(`recorded/${name}.gz`, import.meta.url))).toString();

/** Where one differs from the other first. */
function difference(ours: readonly string[], theirs: readonly string[]): object | undefined {
  const at = theirs.findIndex((line, index) => line !== ours[index]);
  if (at < 0 && ours.length === theirs.length) return undefined;
  return { at, before: theirs.slice(Math.max(0, at - 5), at), qemu: theirs[at], ours: ours[at] };
}

const registers = (trace: string): string[] =>
  accesses(retrovisor(['events', trace, '--event', 'memory_region_ops_read', 'memory_region_ops_write']).out);

describe("an 82540EM's drivers do to its registers what they do under QEMU 7.2", () => {
  const rom = guestFile('efi-e1000.rom');
  const noIpxe = noGuests('bios-256k.bin', 'efi-e1000.rom');

  test('iPXE, which obtains a lease', { ...LONG, ...without(noIpxe) }, () => {
    const trace = join(folder, 'ipxe.trace');
    retrovisor([
      ...['run', '-bios', guestFile('bios-256k.bin'), '-nodefaults', '-boot', 'n', '--quiet', '--trace', trace],
      ...['-netdev', 'user,id=n', '-device', `e1000,netdev=n,mac=${MAC},romfile=${rom}`, '--ticks', '212000000'],
    ]);
    const theirs = accesses(recorded('ipxe-e1000.registers'));
    expect(theirs).toHaveLength(81);
    expect(difference(polled(registers(trace)), theirs)).toBeUndefined();
    expect(retrovisor(['replay', trace]).status).toBe(0);
  });

  const noLinux = noGuests('vmlinuz-generic', 'net.json', 'initramfs.gz') ?? tool('dpkg-deb');

  test('Linux, which obtains one, too', { ...LONG, ...without(noLinux) }, () => {
    const trace = join(folder, 'linux.trace');
    const initrd = writeInitramfs(guestFile('.'), join(folder, 'initramfs.gz'), SCRIPT, { kernel: 'generic' });
    const ran = retrovisor([
      ...['run', '-kernel', guestFile('vmlinuz-generic'), '-initrd', initrd, '-m', '256', '-nodefaults'],
      ...['-append', 'console=ttyS0 panic=-1 cryptomgr.notests=1 ipv6.disable=1 rdinit=/script', '-serial', 'stdio'],
      ...['-netdev', 'user,id=n0,restrict=on', '-device', `e1000,netdev=n0,mac=${MAC},addr=4`],
      ...['--quiet', '--trace', trace, '--wall-clock', '1700000000'],
    ]);
    expect(ran.out).toMatch(/eth0: \(PCI:33MHz:32-bit\) 52:54:00:12:34:56/);
    expect(ran.out).toMatch(/eth0 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: RX/);
    expect(ran.out).toMatch(/IO-APIC +11-fasteoi +eth0/);
    expect(ran.out).toMatch(/lease of 10.0.2.15 obtained from 10.0.2.2/);
    const theirs = accesses(recorded('linux-e1000.registers'));
    expect(theirs.length).toBeGreaterThan(10_000);
    expect(difference(withoutRings(registers(trace)), withoutRings(theirs))).toBeUndefined();
    expect(retrovisor(['replay', trace]).status).toBe(0);
  });
});

/**
 * What `recorded/linux-e1000.registers.gz` is of: QEMU 7.2 with the same arguments, `romfile=`, `-icount shift=3` and
 * `-trace memory_region_ops_*`. IPv6 would join its groups after waits by chance.
 */
const SCRIPT = `network
ip link set eth0 up
sleep 3
cat /proc/interrupts
udhcpc -i eth0 -q -n -f -s /bin/true 2>&1
grep eth0 /proc/net/dev
poweroff -f
`;
