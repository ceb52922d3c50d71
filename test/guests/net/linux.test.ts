import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import type { DebianKernel } from '../../../scripts/guests/initramfs.ts';
import { IS_WHOLE } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { LAST } from '../../../src/devices/rtl8139/descriptors.ts';
import { SERVED, writeWorld } from './world.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

const md5 = (name: string): string => createHash('md5').update(SERVED[name]!).digest('hex');
const sha256 = (name: string): string => createHash('sha256').update(SERVED[name]!).digest('hex');

/** A card, the kernel that has a driver for it, and what that says of itself. */
const CARDS = [
  ['virtio-net-pci', 'cloud', /^card virtio_net speed -1 carrier 1$/],
  ['e1000', 'generic', /^card e1000 speed 1000 carrier 1$/],
  ['rtl8139', 'generic', /^card 8139cp speed 100 carrier 1$/],
] as const satisfies readonly (readonly [string, DebianKernel, RegExp])[];

/**
 * Frames of the guest's of which its driver does not know. Where a card segments and the last segment is full, it sends
 * the header once more, alone, as QEMU's does (beside/beside.test.ts), with a number that Linux gives to what is next.
 */
const headersAlone = (sent: readonly Frame[]): Frame[] =>
  sent.filter((frame, index) => {
    const stream = frame['tcp.stream'];
    const next = sent.slice(index + 1).find((each) => each['tcp.stream'] === stream);
    return stream !== undefined && frame['tcp.len'] === 0 && frame['ip.id'] !== 0 && next?.['ip.id'] === frame['ip.id'];
  });

const SCRIPT = `${readFileSync(new URL('conversation.sh', import.meta.url), 'utf8')}poweroff -f\n`;

/** What a script said under each of its headings. */
const parts = (out: string): string[] => out.replaceAll('\r', '').split(/^= /m).slice(1);

const numberIn = (part: string, name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(part)?.[1]);

/** Packets that 8139cp counts, whatever they were cut into: those whose last descriptor was the card's. */
function wholesIn(trace: string, tick: number): number {
  const events = ['events', trace, '--event', 'sim:rtl8139_tx_descriptor'];
  const { out } = retrovisor([...events, '--if', `word0 & ${LAST}`, '--to', String(tick), '--csv']);
  return out.trim().split('\n').length - 1;
}

/** What of a line of `packets --json` is looked at. */
interface Frame {
  readonly tick: number;
  readonly 'eth.src': string;
  readonly 'ip.id'?: number;
  readonly 'tcp.len'?: number;
  readonly 'tcp.stream'?: number;
}

describe.each(CARDS)("Debian's driver of %s", (card, kernel, said) => {
  describe('speaks to a world', without(noLinux(kernel)), () => {
    const trace = file(`${card}.trace`);
    let heard: string[];

    beforeAll(() => {
      initramfs(file(`${card}.gz`), SCRIPT, kernel);
      const ran = retrovisor([
        ...['run', ...linuxWith(file(`${card}.gz`), IS_WHOLE ? 'huge' : '', kernel), '--trace', trace],
        ...['-netdev', `user,id=n0,world=${writeWorld(folder)}`, '-device', `${card},netdev=n0`],
        ...['--wall-clock', '1700000000'],
      ]);
      expect(ran).toMatchObject({ status: 0, out: expect.stringContaining('= done') });
      heard = parts(ran.out);
    }, 600_000);

    const part = (name: string): string => heard.find((each) => each.startsWith(name)) ?? '';

    test('has a link, a lease, an address of IPv6, and answers to its pings', () => {
      expect(part('card').trim()).toMatch(said);
      expect(part('lease')).toContain('lease 10.0.2.15 router 10.0.2.2 dns 10.0.2.3');
      expect(part('ping')).toMatch(/3 packets transmitted, 3 packets received[\s\S]*1 packets received/);
      expect(part('ipv6')).toMatch(/^ipv6 fec0::5054:ff:fe12:3456\/64[\s\S]*2 packets received/);
    });

    test('finds a name, and gets and puts files as they are', () => {
      expect(part('name')).toContain('10.0.2.100');
      expect(part('get')).toContain(md5('big.bin'));
      if (IS_WHOLE) expect(part('get')).toContain(md5('huge.bin'));
      expect(part('put')).toContain(`262144 bytes, sha256 ${sha256('big.bin')}\nstatus 0`);
      expect(part('missing')).toContain('status 1');
      expect(part('echo').trim()).toBe('echo hello');
      expect(part('refused')).toContain('status 1');
      expect(retrovisor(['events', trace, '--event', 'sim:http_request']).out).toMatch(/POST \/upload/);
    });

    test('counts the packets that are in the trace', () => {
      const printedAt = retrovisor(['console', '--ticks', trace])
        .out.split('\n')
        .find((line) => /= counts/.test(line));
      const tick = Number(/\d+/.exec(printedAt ?? '')?.[0]);
      const lines = retrovisor(['packets', trace, '--json']).out.trim().split('\n');
      const frames = lines.map((line) => JSON.parse(line) as Frame).filter((frame) => frame.tick < tick);
      const sent = frames.filter((frame) => frame['eth.src'] === '52:54:00:12:34:56');
      const counts = part('counts');
      const alone = headersAlone(sent);
      // What an RTL8139 segments it counts as one.
      const wholes = card === 'rtl8139' ? wholesIn(trace, tick) : sent.length - alone.length;
      expect(numberIn(counts, 'tx_packets')).toBe(wholes);
      if (card !== 'rtl8139') expect(alone.length > 0).toBe(card === 'e1000');
      expect(numberIn(counts, 'tx_errors') + numberIn(counts, 'rx_errors') + numberIn(counts, 'tx_dropped')).toBe(0);
      expect(numberIn(counts, 'rx_packets')).toBe(frames.length - sent.length);
    });

    test('comes out again, with the processor and without', async () => {
      expect(retrovisor(['replay', trace]).out).toContain(' 0 divergences');
      expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
      expect(await printed((print) => fold(trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    }, 600_000);
  });
});
