import { expect, test } from 'vitest';
import type { World } from '../../src/net/world/world.ts';
import { ipv4Of } from '../../src/packets/addresses.ts';
import { IP_PROTOCOLS } from '../../src/packets/ipv4.ts';
import { buildTcp, mssOption, TCP_FLAGS } from '../../src/packets/tcp.ts';
import { casesOf } from '../how-long.ts';
import { Bench } from './bench.ts';
import { Client, fromGuest } from './client.ts';
import { GUEST } from './conversation.ts';

const HOST = '10.0.2.9';
const host = ipv4Of(HOST)!;

const world: World = {
  link: { loss: 0.02, reorder: 0.1, duplicate: 0.1, jitter: 1_000_000 },
  hosts: [
    {
      addresses: [HOST],
      services: [
        ...(['http', 'echo', 'sink', 'chargen', 'daytime'] as const).map((kind, at) => ({ kind, port: at + 1 })),
        { kind: 'echo', port: 6, stallAfter: 5000, resetAfter: 20_000 },
      ],
      calls: [6, 7].map((port) => ({
        ...{ at: 1_000_000, to: '10.0.2.15', port, retry: 500_000_000 },
        steps: [
          { do: 'send', text: 'x'.repeat(9000) },
          { do: 'expect', text: 'y' },
          { do: 'wait', for: 1_000_000 },
        ] as const,
      })),
    },
  ],
};

const SAID = ['GET / HTTP/1.1\r\n\r\n', 'PUT / HTTP/1.1\r\nContent-Length: 50\r\n\r\n', 'yyyyyyyy'];
const { ACK, FIN, RST, SYN } = TCP_FLAGS;
const FLAGS = [ACK, ACK, ACK, ACK, ACK | FIN, ACK | RST, SYN, SYN | ACK, FIN, RST, 0, 0xff];
const WINDOWS = [0, 1, 1000, 65_535];
const JUMPS = [0, 0, 0, 1, -1, 1000, -1000, 70_000, 0x8000_0000];

/** Numbers of a seed, each below the one asked for. */
function drawing(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What must hold whatever a guest sends. */
function expectBounded({ net }: Bench): void {
  const connections = Object.values(net.state.tcp.connections);
  expect(connections.length).toBeLessThanOrEqual(512);
  for (const { pieces, early, app, queued, phase } of connections) {
    const kept = pieces.reduce((sum, piece) => sum + (piece.of === 'text' ? piece.text.length : 0), 0);
    const held = early.reduce((sum, { text }) => sum + text.length, 0);
    expect(pieces.length).toBeLessThanOrEqual(64);
    expect(early.length).toBeLessThanOrEqual(64);
    expect(kept).toBeLessThan(2 * 128 * 1024);
    expect(held).toBeLessThan(64 * 65_536);
    expect('heard' in app ? app.heard.length : 0).toBeLessThan(256 * 1024);
    expect(queued).toBeGreaterThanOrEqual(0);
    expect(phase).not.toBe('closed');
  }
}

const seeds = casesOf('RETROVISOR_HOSTILE_SEGMENTS', { whole: 300, quick: 4 });

test(`segments that are right or nearly so, or not at all: ${seeds} seeds`, () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const draw = drawing(seed * 7919);
    const bench = new Bench(world, { chance: () => draw(1000) / 1000 }, seed % 10 === 0);
    for (let turn = 0; turn < 300; turn++) {
      const known = Object.values(bench.net.state.tcp.connections);
      const one = known.length === 0 || draw(6) === 0 ? undefined : known[draw(known.length)];
      const text = draw(3) === 0 ? SAID[draw(SAID.length)]! : 'z'.repeat([0, 0, 0, 1, 500, 1460, 9000][draw(7)]!);
      const payload = Uint8Array.from(text, (character) => character.charCodeAt(0));
      const flags = one === undefined && draw(2) === 0 ? SYN : FLAGS[draw(FLAGS.length)]!;
      const segment = {
        ...{ sourcePort: one?.guestPort ?? 1 + draw(8), destinationPort: one?.hostPort ?? 1 + draw(7), flags },
        sequence: ((one?.awaited ?? draw(2 ** 32)) + JUMPS[draw(JUMPS.length)]!) >>> 0,
        acknowledgment: ((draw(2) === 0 ? one?.sentTo : one?.unacknowledged) ?? 0) + JUMPS[draw(JUMPS.length)]!,
        ...{ window: WINDOWS[draw(4)]!, urgent: draw(2), payload },
        options: draw(3) === 0 ? mssOption(draw(0x10000)) : new Uint8Array(4 * draw(3)).fill(draw(256)),
      };
      const ends = { source: GUEST, destination: host, protocol: IP_PROTOCOLS.TCP };
      const sent = { ...segment, acknowledgment: segment.acknowledgment >>> 0 };
      bench.receive(fromGuest(host, ends.protocol, buildTcp(sent, ends)));
      if (draw(4) === 0) bench.passTo(bench.now + draw(3_000_000_000));
      bench.sent.length = 0;
      bench.events.length = 0;
    }
    expectBounded(bench);
    if (seed % 10 === 0) expect(bench.isFolded).toBe(true);
    // Whatever is about to end does, but for who stalls by a rule.
    bench.passTo(bench.now + 2_000_000_000_000);
    const left = Object.values(bench.net.state.tcp.connections).filter(({ stallAfter }) => stallAfter === undefined);
    expect(left.map(({ phase }) => phase).filter((phase) => /wait-1|closing|last|time/.test(phase))).toEqual([]);
  }
});

test('more connections than there are places', () => {
  const bench = new Bench(world, {}, false);
  for (let port = 1; port <= 600; port++) new Client(bench, HOST, 3, 10_000 + port);
  expect(Object.keys(bench.net.state.tcp.connections)).toHaveLength(512);
  expect(bench.ofKind('sim:tcp_refused')).toHaveLength(88);
});

test('those that are over make place', () => {
  const bench = new Bench({ hosts: world.hosts! }, {}, false);
  for (let port = 1; port <= 520; port++) {
    const client = new Client(bench, HOST, 5, 10_000 + port);
    client.end();
    expect(client.heard).toMatch(/UTC/);
  }
  expect(Object.keys(bench.net.state.tcp.connections)).toHaveLength(512);
});
