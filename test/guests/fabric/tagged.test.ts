import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { guestFile, printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, noLinux } from '../linux/initramfs.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const SCRIPT = readFileSync(new URL('tagged.sh', import.meta.url), 'utf8');
const MACHINES = { a: 'rv.n=10 rv.vlan=5', b: 'rv.n=11 rv.vlan=5', c: 'rv.n=12 rv.vlan=6' };

/** In YAML. */
function machineFile(): string {
  const path = file('machines.yaml');
  const machines = Object.entries(MACHINES).flatMap(([name, more]) => [
    `  ${name}:`,
    `    append: console=ttyS0 panic=-1 quiet cryptomgr.notests=1 rdinit=/script ${more}`,
  ]);
  const initrd = initramfs(file('script.gz'), SCRIPT, 'cloud', { vlans: true });
  const lines = [
    `common: { kernel: ${guestFile('vmlinuz')}, initrd: ${initrd},`,
    '  m: 128, nodefaults: true, serial: stdio, netdev: "tap,id=n0,br=br0", device: "virtio-net-pci,netdev=n0" }',
    'machines:',
    ...machines,
    'bridges:',
    '  br0: { mtu: 9000 }  # of its ports, too',
  ];
  writeFileSync(path, lines.join('\n'));
  return path;
}

const linesOf = (trace: string, condition: string): string[] =>
  retrovisor(['packets', trace, '--if', condition])
    .out.split('\n')
    .filter((line) => line !== '');

describe('three Linux machines on a bridge', { ...LONG, ...without(noLinux()) }, () => {
  const trace = file('tagged.trace');
  let said: string[];

  beforeAll(() => {
    const ran = retrovisor(['run', '--machine', machineFile(), '--trace', trace, '--wall-clock', '1700000000']);
    expect(ran.status).toBe(0);
    said = ran.out.replaceAll('\r', '').split('\n');
  }, 900_000);

  const part = (name: string, what: string): string[] => {
    const own = said.flatMap((line) => new RegExp(`^${name} +\\| (.*)$`).exec(line)?.[1] ?? []);
    const from = own.findIndex((line) => line.startsWith(`= ${what}`));
    const end = own.findIndex((line, at) => at > from && line.startsWith('='));
    return own.slice(from, end < 0 ? undefined : end);
  };

  test('speak in frames of 9,000 bytes, and with tags, whole, to those of the same tag', () => {
    expect(part('a', 'long')).toEqual([
      ...['= long', '8908 bytes from 10.9.0.11: seq=0 ttl=64 '],
      '1 packets transmitted, 1 packets received, 0% packet loss',
    ]);
    expect(part('a', 'tagged')).toEqual([
      ...['= tagged', '7908 bytes from 10.5.0.11: seq=0 ttl=64 '],
      '1 packets transmitted, 1 packets received, 0% packet loss',
    ]);
    expect(part('a', 'other')[1]).toBe('1 packets transmitted, 0 packets received, 100% packet loss');
    const [sum, own] =
      part('a', 'get')[0]!
        .replace('= get', '')
        .match(/[\da-f]{32}/g) ?? [];
    expect(sum).toBe(own);
    expect(linesOf(`${trace}:br0`, 'frame.len == 8942')).toHaveLength(2);
    expect(linesOf(`${trace}:br0`, 'vlan.id == 5 && tcp').length).toBeGreaterThan(10);
    // Who is asked for is not there; all hear that, and whose tag it is not do not listen.
    expect(linesOf(`${trace}:c`, 'vlan.id == 5 && arp.dst.proto_ipv4 == 10.5.0.12').length).toBeGreaterThan(0);
    expect(linesOf(`${trace}:c`, 'vlan.id == 5 && tcp')).toEqual([]);
  });

  test('count what the bridge counts at their ports, and nobody loses any', () => {
    const { out } = retrovisor(['debug', `${trace}:br0`], 'c\nbridge\n');
    for (const [at, name] of Object.keys(MACHINES).entries()) {
      const [, rx, tx] = new RegExp(`tap${at}: [\\s\\S]*?RX:.*\\n +\\d+ +(\\d+) .*\\n.*TX:.*\\n +\\d+ +(\\d+) `).exec(
        out,
      )!;
      // A card's driver has told it which tags are wanted: frames of others it does not take.
      const others = linesOf(`${trace}:${name}`, `vlan.id == ${name === 'c' ? 5 : 6}`).length;
      expect(others > 0).toBe(name === 'c');
      expect(part(name, 'counts')).toEqual([
        ...['= counts', `rx_packets ${Number(tx) - others}`, `tx_packets ${rx}`, 'rx_dropped 0', 'rx_errors 0'],
      ]);
    }
  });

  test('are verified as a whole; one, and the bridge, fold and come out of a rerun alone', async () => {
    expect(retrovisor(['verify', trace])).toMatchObject({
      status: 0,
      out: expect.stringContaining('as they were sent'),
    });
    for (const name of ['a', 'br0']) {
      expect(await printed((print) => rerun(`${trace}:${name}`, {}, print))).toContain(' 0 divergences');
      expect(await printed((print) => fold(`${trace}:${name}`, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    }
  }, 900_000);
});
