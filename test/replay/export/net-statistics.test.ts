import { describe, expect, test } from 'vitest';
import { printStatistics, type StatOptions } from '../../../src/cli/stat-command.ts';
import { printed, scratchFolder } from '../../guests/command-line.ts';
import { captured } from '../../packets/pcap.ts';
import { runOver } from '../packets/captured-run.ts';

const folder = scratchFolder();
const FRAMES = captured('virtio-net');
const LOST = [29, 30];
const RUN = runOver(folder, 'counted', FRAMES, LOST);
const ofGuest = (frame: Uint8Array): boolean => frame[6] === 0x52 && frame[7] === 0x54;
const [GUESTS, OTHERS] = [FRAMES.filter(ofGuest), FRAMES.filter((frame) => !ofGuest(frame))];
const bytesOf = (frames: readonly Uint8Array[]): number => frames.reduce((sum, { length }) => sum + length, 0);

const stat = (options: StatOptions = {}): Promise<string> =>
  printed((print) => printStatistics(RUN, { event: 'net', ...options }, print));
const json = async (options: StatOptions = {}): Promise<Record<string, unknown>[]> =>
  (await stat({ as: 'json', ...options }))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('stat --event net', () => {
  test('counts packets and bytes by who sent them, losses with their reasons', async () => {
    const rows = Object.fromEntries((await json()).map((row) => [row['client'], row]));
    expect(rows['guest']).toMatchObject({
      packets: GUESTS.length,
      bytes: bytesOf(GUESTS),
      taken: GUESTS.length - 1,
      lost: 1,
    });
    expect(rows['n0']).toMatchObject({
      packets: OTHERS.length,
      bytes: bytesOf(OTHERS),
      taken: OTHERS.length - 1,
      lost: 1,
    });
    expect(rows['n0']).toMatchObject({ reasons: { 'guest: queue full': 1 } });
  });

  test('tells how long each hop took', async () => {
    const rows = Object.fromEntries((await json()).map(({ client, hops }) => [client, hops]));
    // A packet is taken a millisecond after it was sent, and the next follows a millisecond later.
    expect(rows['guest']).toEqual([
      expect.objectContaining({ hop: 'exit > sent', count: GUESTS.length, ns_most: 0 }),
      expect.objectContaining({ hop: 'sent > taken', count: GUESTS.length - 1, ns_least: 1e6, ns_most: 1e6 }),
    ]);
    expect(rows['n0']).toEqual([
      expect.objectContaining({ hop: 'packet > sent', count: OTHERS.length, ns_least: 1e6 }),
      expect.objectContaining({ hop: 'sent > taken', count: OTHERS.length - 1, ns_p99: 1e6 }),
      expect.objectContaining({ hop: 'taken > interrupt', count: OTHERS.length - 1, ns_most: 0 }),
    ]);
  });

  test('takes some of the packets alone', async () => {
    const rows = await json({ condition: 'arp.opcode == 1 && eth.src == 52:54:00:12:34:56' });
    expect(rows).toMatchObject([{ client: 'guest', packets: 2, bytes: 84, taken: 2, lost: 0 }]);
  });

  test('is a table and lines with commas, too', async () => {
    const table = await stat();
    expect(table).toMatch(/^n0 +sent > taken +\d+ +1000\.0 +1000\.0 +1000\.0 +1000\.0$/m);
    expect(table).toMatch(/^ {2}1 of n0 at guest: queue full$/m);
    const csv = (await stat({ as: 'csv' })).trim().split('\n');
    expect(csv[0]).toBe('client,packets,bytes,taken,waited,lost,hop,count,ns,ns_least,ns_p50,ns_p90,ns_p99,ns_most');
    expect(csv).toHaveLength(6);
  });

  test('refuses what asks for processors', () => {
    expect(() => printStatistics(RUN, { event: 'net', vcpu: 0 }, () => undefined)).toThrow('takes no --vcpu');
    expect(() => printStatistics(RUN, { event: 'nets' }, () => undefined)).toThrow(/disk, net, not nets.*net/);
  });
});
