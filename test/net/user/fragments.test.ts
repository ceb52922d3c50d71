import { describe, expect, test } from 'vitest';
import { hexadecimal } from '../../../src/base/bytes.ts';
import { MOST_PARTIAL } from '../../../src/net/user/state.ts';
import { arp, echo, echoMessage, fragments, ipv4 } from '../../oracle/slirp/frames.ts';
import { Wire } from '../wire.ts';

const parts = fragments(echoMessage(3000), 1480);

function answersTo(frames: readonly Uint8Array[]): string[] {
  const wire = new Wire();
  wire.frames(arp('10.0.2.2'));
  return frames.flatMap((frame) => wire.frames(frame)).map(hexadecimal);
}

describe('parts of a datagram', () => {
  // Where libslirp 4.7.0 ends QEMU: what it answers to the same parts in their order.
  test.each([[[2, 1, 0]], [[1, 0, 2]], [[2, 0, 1]], [[1, 1, 2, 0, 0]]])(
    'in the order %j are answered like those in order',
    (order) => {
      const inOrder = answersTo(parts);
      expect(inOrder).toHaveLength(3);
      expect(answersTo(order.map((at) => parts[at]!))).toEqual(inOrder);
    },
  );

  test('that come too late are not the same datagram', () => {
    const wire = new Wire();
    wire.frames(arp('10.0.2.2'));
    wire.frames(parts[0]!);
    wire.frames(parts[1]!);
    wire.pass(31_000_000_000);
    expect(wire.frames(parts[2]!)).toEqual([]);
    expect(wire.state.partial).toHaveLength(1);
  });

  test('are kept of so many datagrams, the oldest of which is forgotten', () => {
    const wire = new Wire();
    for (let id = 0; id < 100; id++) wire.frames(fragments(echoMessage(3000), 1480, { id })[0]!);
    expect(wire.state.partial.map(({ id }) => id)).toEqual(Array.from({ length: MOST_PARTIAL }, (_, at) => 84 + at));
  });

  test('without anything in them do not add up, nor do those beyond the end of all datagrams', () => {
    const wire = new Wire();
    const empty = ipv4({ protocol: 1, moreFragments: true, fragmentOffset: 8 });
    for (let time = 0; time < 100; time++) wire.frames(empty);
    expect(wire.state.partial[0]?.fragments).toHaveLength(1);
    const beyond = ipv4({
      id: 7,
      protocol: 1,
      moreFragments: true,
      fragmentOffset: 65_528,
      payload: new Uint8Array(16),
    });
    wire.frames(beyond);
    expect(wire.state.partial).toHaveLength(1);
  });
});

describe('a stranger', () => {
  test('has so many packets waiting, and gets those it is in time for', () => {
    const wire = new Wire();
    for (let time = 0; time < 100; time++) wire.frames(echo(8, { from: '10.0.2.40' }));
    expect(wire.state.unresolved).toHaveLength(64);
    const found = wire.frames(arp('10.0.2.2', { operation: 2, sender: '10.0.2.40' }));
    expect(found).toHaveLength(64);
    expect(wire.state.unresolved).toEqual([]);
  });
});
