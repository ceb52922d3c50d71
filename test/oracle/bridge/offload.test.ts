/** What a tap makes of packets that leave checksums and segments to it, beside Linux: `record_offload.py`. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fromHexadecimal, hexadecimal } from '../../../src/base/bytes.ts';
import type { Effects, Packet } from '../../../src/devices/device.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { driver, type TapSetup, type TapState } from '../../../src/net/tap/index.ts';

const NO_HEADER = '00'.repeat(10);
const EINVAL = 'errno 22';

/** Two taps, the second of which is read as soon as there is something. */
class Taps {
  readonly #tap = driver.create({
    ...{ clients: ['p1'], interface: 'p1', bridge: 'br0', vnet_hdr: true },
  } as unknown as TapSetup);
  #state: TapState = { ...driver.atReset({} as TapSetup), attached: ['p1'] };

  offload(flags: number): string[] {
    this.#state = { ...this.#state, offloads: flags };
    return [];
  }

  /** A packet is written to the first: what comes out at the second. */
  write(header: string, frame: string): string[] {
    const lines: string[] = [];
    const packets = new Map<number, Packet>();
    const add = (packet: Packet): Packet => {
      packets.set(packet.number, packet);
      return packet;
    };
    const effects = {
      framesWaiting: () => 0,
      commit: () => undefined,
      dropPacket: () => void lines.push(EINVAL),
      newPacket: (packet: Pick<Packet, 'bytes'>) => add({ ...packet, number: packets.size, at: 'p1' }),
      intoKernel: (packet: Packet) => this.#tap.transmit!(this.#state, packet, effects),
      raise(event: MachineEvent) {
        if (event.kind !== 'sim:tap_queued') return;
        const bytes = event.bytes.length > 0 ? event.bytes : packets.get(event.packet)!.bytes;
        lines.push(`< ${hexadecimal(event.header) || NO_HEADER} ${hexadecimal(bytes)}`);
      },
    } as unknown as Effects;
    const packet = add({ number: 0, bytes: fromHexadecimal(frame), header: fromHexadecimal(header), at: 'p1' });
    this.#tap.receivePacket!(this.#state, packet, effects);
    return lines;
  }
}

/** How much of a packet lies together in the kernel's memory is a hint. */
const withoutHint = (line: string): string => line.replace(/^(< \w{4})\w{4}/, '$1....');

test('checksums and segments are made as Linux makes them, for a reader that takes them or not', () => {
  const text = readFileSync(new URL('recorded/offload.txt', import.meta.url), 'utf8');
  const lines = text.trimEnd().split('\n').slice(1);
  const taps = new Taps();
  const isAnswer = (line: string): boolean => line.startsWith('<') || line === EINVAL;
  let answers = 0;
  for (const [at, line] of lines.entries()) {
    if (isAnswer(line)) continue;
    const [verb, first = '', second = ''] = line.split(' ');
    const next = lines.findIndex((other, place) => place > at && !isAnswer(other));
    const expected = lines.slice(at + 1, next < 0 ? undefined : next);
    const found = verb === 'offload' ? taps.offload(Number(first)) : taps.write(first, second);
    expect([line, ...found.map(withoutHint)]).toEqual([line, ...expected.map(withoutHint)]);
    answers += found.length;
  }
  expect(answers).toBe(lines.filter(isAnswer).length);
});
