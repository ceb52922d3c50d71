import { describe, expect, test } from 'vitest';
import { LEASES, MOST_NEIGHBORS, MOST_PARTIAL, MOST_UNRESOLVED } from '../../../src/net/user/state.ts';
import { casesOf } from '../../how-long.ts';
import { FILES } from '../../oracle/slirp/files.ts';
import { QUESTIONS } from '../../oracle/slirp/questions.ts';
import { captured } from '../../packets/pcap.ts';
import { Wire } from '../wire.ts';

const SEEDS = casesOf('RETROVISOR_FRAMES', { whole: 600, quick: 20 });
const FRAMES = 100;
/** Facts of one frame: a block of a file, the packet, and what the world has to say. */
const MOST_FACTS = 150;

const SOUND = [...QUESTIONS.flatMap(({ asked }) => asked.map(({ frame }) => frame)), ...captured('virtio-net')];

/** xorshift32. */
function drawn(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

/** A frame no guest should send: noise, or a sound one cut, grown, changed. */
function hostile(draw: (below: number) => number): Uint8Array {
  if (draw(8) === 0)
    return Uint8Array.from({ length: [0, 1, 13, 14, 60, 1514, 65_535, 70_000][draw(8)]! }, () => draw(256));
  const frame = SOUND[draw(SOUND.length)]!;
  const length = draw(4) === 0 ? draw(frame.length + 1) : frame.length + (draw(6) === 0 ? draw(2000) : 0);
  const changed = Uint8Array.from({ length }, (_, at) => frame[at] ?? draw(256));
  for (let times = draw(6); times > 0 && length > 0; times--) changed[draw(length)] = draw(256);
  return changed;
}

describe('frames no guest should send', () => {
  test(`${SEEDS} times ${FRAMES} end nothing, are answered within bounds, and leave nothing that grows`, () => {
    const served = Object.fromEntries(
      Object.entries(FILES).map(([name, { length: size }]) => [name, { file: name, size }]),
    );
    for (let seed = 0; seed < SEEDS; seed++) {
      const draw = drawn(seed);
      const wire = new Wire({ tftp: 'files', served, world: { hosts: [{ addresses: ['198.51.100.7'] }] } });
      for (let time = 0; time < FRAMES; time++) {
        const before = wire.raised.length;
        wire.frames(hostile(draw));
        expect(wire.raised.length - before).toBeLessThan(MOST_FACTS);
        wire.pass(draw(20_000_000));
      }
      const { arp, ndp, leases, partial, tftp, unresolved } = wire.state;
      expect([arp.known.length, ndp.known.length].every((length) => length <= MOST_NEIGHBORS)).toBe(true);
      expect([leases.length, partial.length <= MOST_PARTIAL, tftp.length <= 20]).toEqual([LEASES, true, true]);
      expect(unresolved.length).toBeLessThanOrEqual(MOST_UNRESOLVED);
    }
  });
});
