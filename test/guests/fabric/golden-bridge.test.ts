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
const SCRIPT = readFileSync(new URL('golden-bridge.sh', import.meta.url), 'utf8');

/** The machines of the capture. What is its uplink, a host's, is a Linux of its own here. */
const MACHINES = {
  b: { append: 'rv.ip=10.9.0.11 rv.serve=1 rv.stay=30', mac: '0b', ifname: 'tap1' },
  a: {
    append: 'rv.ip=10.9.0.10 rv.wait=4 rv.ping=10.9.0.11,10.9.0.1,10.9.0.99 rv.get=10.9.0.11',
    mac: '0a',
    ifname: 'tap0',
  },
  uplink: { append: 'rv.ip=10.9.0.1 rv.stay=30', mac: 'fe', ifname: 'eth0' },
};

function machineFile(): string {
  initramfs(file('script.gz'), SCRIPT);
  const machines = Object.entries(MACHINES).map(([name, { append, mac, ifname }]) => [
    name,
    {
      append: `console=ttyS0 panic=-1 quiet cryptomgr.notests=1 rdinit=/script ${append}`,
      netdev: `tap,id=n0,ifname=${ifname},br=br0,vnet_hdr=off`,
      device: `virtio-net-pci,netdev=n0,mac=52:54:00:00:00:${mac}`,
    },
  ]);
  const common = {
    ...{ kernel: guestFile('vmlinuz'), initrd: file('script.gz'), m: 128, nodefaults: true, serial: 'stdio' },
  };
  const path = file('machines.json');
  writeFileSync(path, JSON.stringify({ common, machines: Object.fromEntries(machines), bridges: { br0: {} } }));
  return path;
}

/** What the capture's guest a printed, but when and for how long. */
const PRINTED_BY_A = `PING 10.9.0.11 (10.9.0.11): 56 data bytes
64 bytes from 10.9.0.11: seq=0 ttl=64 time=X
64 bytes from 10.9.0.11: seq=1 ttl=64 time=X

--- 10.9.0.11 ping statistics ---
2 packets transmitted, 2 packets received, 0% packet loss

PING 10.9.0.1 (10.9.0.1): 56 data bytes
64 bytes from 10.9.0.1: seq=0 ttl=64 time=X
64 bytes from 10.9.0.1: seq=1 ttl=64 time=X

--- 10.9.0.1 ping statistics ---
2 packets transmitted, 2 packets received, 0% packet loss

PING 10.9.0.99 (10.9.0.99): 56 data bytes

--- 10.9.0.99 ping statistics ---
2 packets transmitted, 0 packets received, 100% packet loss
c38343b709807b62a401441a8577ca73  -
IP address       HW type     Flags       HW address            Mask     Device
10.9.0.99        0x1         0x0         00:00:00:00:00:00     *        eth0
10.9.0.1         0x1         0x2         52:54:00:00:00:fe     *        eth0
10.9.0.11        0x1         0x2         52:54:00:00:00:0b     *        eth0`;

/**
 * Frames of the capture at tap0 and at tap1 that are not TCP's: who to whom, and what. Left out: an answer of the
 * host's bridge, whose address ARP confused with the uplink's (frame 8), to which the guest then sent its pings.
 */
const AT_TAP0 = [
  ...['0a ff who 10.9.0.11 by 10.9.0.10', '0b 0a is 10.9.0.11 to 10.9.0.10'],
  ...['0a 0b echo 8 0', '0b 0a echo 0 0', '0a 0b echo 8 1', '0b 0a echo 0 1'],
  ...['0a ff who 10.9.0.1 by 10.9.0.10', 'fe 0a is 10.9.0.1 to 10.9.0.10'],
  ...['0a fe echo 8 0', 'fe 0a echo 0 0', '0a fe echo 8 1', 'fe 0a echo 0 1'],
  ...['0a ff who 10.9.0.99 by 10.9.0.10', '0a ff who 10.9.0.99 by 10.9.0.10', '0a ff who 10.9.0.99 by 10.9.0.10'],
  ...['0b 0a who 10.9.0.10 by 10.9.0.11', '0a 0b is 10.9.0.10 to 10.9.0.11'],
  ...['fe 0a who 10.9.0.10 by 10.9.0.1', '0a fe is 10.9.0.10 to 10.9.0.1'],
];
const AT_TAP1 = [...AT_TAP0.slice(0, 6), '0a ff who 10.9.0.1 by 10.9.0.10', ...AT_TAP0.slice(12, 17)];

type Fields = Readonly<Record<string, unknown>>;

const packetsOf = (trace: string, condition: string): Fields[] =>
  retrovisor(['packets', trace, '--json', '--if', condition])
    .out.split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Fields);

/** The last byte of an address. */
const last = (address: unknown): string => String(address).slice(-2);

function inWords(packet: Fields): string {
  const way = `${last(packet['eth.src'])} ${last(packet['eth.dst'])}`;
  if (packet['icmp.type'] !== undefined) return `${way} echo ${packet['icmp.type']} ${packet['icmp.seq']}`;
  const [sender, target] = [packet['arp.src.proto_ipv4'], packet['arp.dst.proto_ipv4']];
  return packet['arp.opcode'] === 1 ? `${way} who ${target} by ${sender}` : `${way} is ${sender} to ${target}`;
}

describe('the capture of two guests and an uplink on a bridge of Linux', { ...LONG, ...without(noLinux()) }, () => {
  const trace = file('bridge.trace');
  let ran: ReturnType<typeof retrovisor>;

  beforeAll(() => {
    ran = retrovisor(['run', '--machine', machineFile(), '--trace', trace, '--wall-clock', '1700000000']);
  }, 900_000);

  const linesOf = (name: string): string[] =>
    ran.out
      .replaceAll('\r', '')
      .split('\n')
      .flatMap((line) => new RegExp(`^${name} *\\| (.*)$`).exec(line)?.[1] ?? []);

  test('the guests print what they printed there; the lines of ARP in any order', () => {
    expect(ran.status).toBe(0);
    const wanted = PRINTED_BY_A.split('\n');
    const said = linesOf('a').slice(0, wanted.length);
    const arp = wanted.length - 3;
    expect(said.slice(0, arp)).toEqual(wanted.slice(0, arp));
    expect(said.slice(arp).sort()).toEqual(wanted.slice(arp).sort());
    expect(linesOf('b')[1]).toBe('10.9.0.10        0x1         0x2         52:54:00:00:00:0a     *        eth0');
  });

  test('frames at each tap are those of the capture, one after the other: known ways, flooding, nobody there', () => {
    expect(packetsOf(`${trace}:a`, '!tcp').map(inWords)).toEqual(AT_TAP0);
    expect(packetsOf(`${trace}:b`, '!tcp').map(inWords)).toEqual(AT_TAP1);
    // Of TCP each guest has what the other sent, and nobody else has any.
    const tcp = (name: string): unknown[] => packetsOf(`${trace}:${name}`, 'tcp').map((each) => each['tcp.seq']);
    expect(tcp('a').sort()).toEqual(tcp('b').sort());
    expect(tcp('uplink')).toEqual([]);
  });

  test("the bridge has learned what the capture's had, and counts at its ports what guests count", () => {
    const { out } = retrovisor(['debug', `${trace}:br0`], 'c\nbridge\n');
    for (const [name, { mac, ifname }] of Object.entries(MACHINES)) {
      expect(out).toContain(`52:54:00:00:00:${mac} dev ${ifname} master br0 used`);
      const counts = new RegExp(`${ifname}: [\\s\\S]*?RX:.*\\n +\\d+ +(\\d+) .*\\n.*TX:.*\\n +\\d+ +(\\d+) `).exec(out);
      const counted = (what: string): string =>
        linesOf(name)
          .find((line) => line.startsWith(what))!
          .slice(what.length);
      expect(counts?.slice(1)).toEqual([counted('tx_packets '), counted('rx_packets ')]);
    }
    expect(out).toContain('52:54:00:00:00:fe dev eth0');
    const learned = retrovisor(['events', `${trace}:br0`, '--event', 'sim:bridge_learned']).out;
    expect(learned).toMatch(/0a dev tap0\n.*0b dev tap1\n.*fe dev eth0\n$/);
  });

  test('all of it is verified, and each folds and comes out of a rerun alone, the bridge, too', async () => {
    const verified = retrovisor(['verify', trace]);
    expect(retrovisor(['info', trace]).out).toContain(`${trace}:br0: a bridge\n`);
    expect(verified).toMatchObject({ status: 0, out: expect.stringMatching(/equal {2}\d{3,} frames between/) });
    for (const name of [...Object.keys(MACHINES), 'br0']) {
      expect(await printed((print) => rerun(`${trace}:${name}`, {}, print))).toContain(' 0 divergences');
      expect(await printed((print) => fold(`${trace}:${name}`, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    }
  }, 900_000);
});
