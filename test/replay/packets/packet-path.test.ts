import { describe, expect, test } from 'vitest';
import { whyPacket } from '../../../src/cli/why-packet.ts';
import { printed, scratchFolder } from '../../guests/command-line.ts';
import { captured } from '../../packets/pcap.ts';
import { runOver } from './captured-run.ts';

const folder = scratchFolder();
const RUN = runOver(folder, 'way', captured('virtio-net'), [30]);
const why = (number: number): Promise<string> => printed((print) => whyPacket(RUN, { number }, print));

describe("a packet's way", () => {
  test("goes from the guest's instruction to the wire, and on to who answers", async () => {
    const lines = (await why(12)).trimEnd().split('\n');
    expect(lines[0]).toBe('packet 12, 42 bytes, guest > n0: ARP, Request who-has 10.0.2.2 tell 10.0.2.15');
    expect(lines[1]).toMatch(/^guest: 0x[\da-f]+ of vcpu0 #\d+$/);
    expect(lines.slice(2).map((line) => line.replace(/#\d+ +\d+/, '#').replace(/ +/g, ' '))).toEqual([
      'To the wire:',
      expect.stringMatching(/^ # vcpu0 kvm_exit: /),
      ' +0.000 us # main-loop sim:packet_sent: guest packet 12 42 bytes: ARP, Request who-has 10.0.2.2 tell 10.0.2.15',
      'From the wire:',
      ' +1000.000 us # main-loop sim:packet_delivered: n0 packet 12 42 bytes',
      'Answered by:',
      expect.stringMatching(/^ \+2000.000 us packet 13 #\d+ of n0: ARP, Reply 10.0.2.2 is-at/),
    ]);
  });

  test('goes from the wire to the interrupt that told a processor', async () => {
    const text = await why(13);
    expect(text).toMatch(/From the wire:\n +\+1000.000 us .*sim:packet_delivered: guest packet 13 64 bytes\n/);
    expect(text).toMatch(/To a processor:\n +\+0.000 us .*vcpu0 +kvm_inj_virq: IRQ 0x26\n$/);
  });

  test('ends where it was lost', async () => {
    expect(await why(30)).toMatch(/From the wire:\n.*sim:packet_dropped: n0 packet 30 queue full\n$/);
  });

  test('is nobody knows which of a packet there is not', async () => {
    await expect(why(5000)).rejects.toThrow(/^The run has packets 0 to \d+\.$/);
  });
});
