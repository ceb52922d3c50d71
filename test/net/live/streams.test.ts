import { describe, expect, test } from 'vitest';
import { ipv4Of } from '../../../src/packets/addresses.ts';
import { parseIcmp } from '../../../src/packets/icmp.ts';
import { parseIpv4 } from '../../../src/packets/ipv4.ts';
import { NOTHING, numberAt } from '../../../src/packets/layout.ts';
import { buildTcp, parseTcp, TCP_FLAGS } from '../../../src/packets/tcp.ts';
import { Bench } from '../bench.ts';
import { Client, fromGuest } from '../client.ts';

const ECONNREFUSED = 111;
const EHOSTUNREACH = 113;
const KIB = 1024;
const MOST = 128 * KIB;

const of = (connection: number) => ({ dev: 'n0', connection });

/** A guest that has asked for the gateway's port 8080. */
function asking(): { readonly bench: Bench; readonly client: Client } {
  const bench = new Bench({}, { live: 'localhost:8080' });
  return { bench, client: new Client(bench, '10.0.2.2', 8080) };
}

/** One whose connection stands. */
function open(): { readonly bench: Bench; readonly client: Client } {
  const made = asking();
  made.bench.hear({ kind: 'sim:socket_opened', ...of(1), errno: 0 });
  made.client.listen();
  return made;
}

const asked = (bench: Bench): string[] => bench.ofKind('sim:socket_asked').map(({ what }) => what);
const sent = (bench: Bench): number => bench.ofKind('sim:socket_sent').reduce((sum, { length }) => sum + length, 0);

describe('a connection to the host', () => {
  test('is answered once the host has one', () => {
    const { bench, client } = asking();
    expect(bench.ofKind('sim:socket_asked')).toEqual([
      { kind: 'sim:socket_asked', ...of(1), what: 'open', host: '127.0.0.1', port: 8080, length: 0 },
    ]);
    // The guest asks again.
    new Client(bench, '10.0.2.2', 8080);
    expect(bench.ofKind('sim:socket_asked')).toHaveLength(1);
    expect(bench.ofKind('sim:tcp_sent')).toEqual([]);
    bench.hear({ kind: 'sim:socket_opened', ...of(1), errno: 0 });
    client.listen();
    expect(bench.ofKind('sim:tcp_established')).toHaveLength(1);
    expect(client.say('hello')).toBe('');
    expect(bench.ofKind('sim:socket_sent')).toMatchObject([{ length: 5 }]);
    expect(bench.net.state.tcp.connections[1]!.app).toMatchObject({ heard: '', sent: 'hello', untaken: 5 });
    bench.hear({ kind: 'sim:socket_data', ...of(1), bytes: Uint8Array.of(111, 107) });
    bench.hear({ kind: 'sim:socket_ended', ...of(1) });
    client.listen();
    expect([client.heard, client.hasEnded]).toEqual(['ok', true]);
    client.end();
    expect(asked(bench)).toEqual(['open', 'more', 'shut']);
    expect(bench.isFolded).toBe(true);
  });

  test('has segments as long as those of libslirp, which takes it for one of IPv6', () => {
    const { bench, client } = open();
    bench.sent.splice(0);
    bench.hear({ kind: 'sim:socket_data', ...of(1), bytes: new Uint8Array(2 * 1440) });
    const lengths = bench.sent.map(({ bytes }) => parseTcp(parseIpv4(bytes)!.payload)!.payload.length);
    expect(lengths).toEqual([1440, 1440]);
    client.listen();
    expect(client.heard).toHaveLength(2 * 1440);
  });

  test('is reset where nobody listens', () => {
    const { bench, client } = asking();
    bench.hear({ kind: 'sim:socket_opened', ...of(1), errno: ECONNREFUSED });
    client.listen();
    expect(client.isReset).toBe(true);
    expect(bench.net.state.tcp.connections).toEqual({});
    expect(asked(bench)).toEqual(['open']);
  });

  test('is told by ICMP that there is no way', () => {
    const { bench } = asking();
    bench.hear({ kind: 'sim:socket_opened', ...of(1), errno: EHOSTUNREACH });
    const [told] = bench.sent.map(({ bytes }) => parseIpv4(bytes)!);
    const message = parseIcmp(told!.payload)!;
    const about = parseIpv4(message.payload.slice())!;
    // RFC 792: host unreachable, with the header and the first 8 bytes of what the guest sent.
    expect([message.type, message.code, about.destination]).toEqual([3, 1, ipv4Of('10.0.2.2')]);
    expect([numberAt(about.payload, 0, 2), numberAt(about.payload, 2, 2), numberAt(about.payload, 4, 4)]).toEqual([
      ...[40_000, 8080, 1000],
    ]);
  });

  test('is reset when the host resets it', () => {
    const { bench, client } = open();
    bench.hear({ kind: 'sim:socket_reset', ...of(1), errno: 104 });
    client.listen();
    expect(client.isReset).toBe(true);
    expect(asked(bench)).toEqual(['open', 'more']);
  });

  test('is given up with its socket when nobody answers', () => {
    const { bench } = asking();
    bench.passTo(76e9);
    expect(asked(bench)).toEqual(['open', 'close']);
  });

  test('waits for a host that takes nothing, and goes on when it does', () => {
    const { bench, client } = open();
    client.say('x'.repeat(300 * KIB));
    const before = sent(bench);
    expect(before).toBeGreaterThan(64 * KIB);
    expect(before).toBeLessThanOrEqual(MOST);
    expect(bench.ofKind('sim:tcp_sent').at(-1)!.window).toBe(0);
    bench.hear({ kind: 'sim:socket_taken', ...of(1), length: before });
    expect(bench.ofKind('sim:tcp_sent').at(-1)!.window).toBeGreaterThan(60_000);
  });

  test('asks for no more than there is room for, and takes no more', () => {
    const { bench, client } = open();
    const more = (): number => bench.ofKind('sim:socket_asked').reduce((sum, { length }) => sum + length, 0);
    expect(more()).toBe(MOST);
    bench.hear({ kind: 'sim:socket_data', ...of(1), bytes: new Uint8Array(3 * MOST) });
    expect(bench.net.state.tcp.connections[1]).toMatchObject({ queued: MOST, app: { credit: 0 } });
    client.listen();
    expect(client.heard).toHaveLength(MOST);
    expect(more()).toBeGreaterThan(MOST);
    expect(bench.isFolded).toBe(true);
  });
});

describe('a visitor', () => {
  const visited = { kind: 'sim:socket_accepted', dev: 'n0', visitor: 7, port: 50_000 } as const;

  /** The first segment it sends, or undefined. */
  function visit(hostfwd: string, host: string, forward = 1) {
    const bench = new Bench({}, { hostfwd });
    bench.hear({ ...visited, host, forward });
    const [first] = bench.sent.map(({ bytes }) => parseIpv4(bytes)!);
    return { bench, first, segment: first === undefined ? undefined : parseTcp(first.payload)! };
  }

  test.each([
    ['tcp::2222-:22', '127.0.0.1', '10.0.2.2', '10.0.2.15'],
    ['tcp::2222-10.0.2.15:22', '192.0.2.7', '192.0.2.7', '10.0.2.15'],
  ])('of %s from %s comes from %s', (hostfwd, host, source, destination) => {
    const { bench, first, segment } = visit(hostfwd, host);
    expect([first!.source, first!.destination]).toEqual([ipv4Of(source), ipv4Of(destination)]);
    expect(segment).toMatchObject({ sourcePort: 50_000, destinationPort: 22, flags: TCP_FLAGS.SYN });
    expect(bench.ofKind('sim:socket_joined')).toMatchObject([{ visitor: 7, connection: 1 }]);
  });

  test('by a rule there is not is sent away', () => {
    const { bench, first } = visit('tcp::2222-:22', '127.0.0.1', 2);
    expect(first).toBeUndefined();
    expect(bench.ofKind('sim:socket_joined')).toMatchObject([{ visitor: 7, connection: 0 }]);
  });

  test('whom the guest refuses is cut off', () => {
    const { bench, first, segment } = visit('tcp::2222-:22', '127.0.0.1');
    const header = { sequence: 0, acknowledgment: segment!.sequence + 1, flags: TCP_FLAGS.RST | TCP_FLAGS.ACK };
    const ports = { sourcePort: 22, destinationPort: 50_000, window: 0, urgent: 0, options: NOTHING, payload: NOTHING };
    const ends = { source: first!.destination, destination: first!.source, protocol: 6 };
    bench.receive(fromGuest(ends.destination, 6, buildTcp({ ...header, ...ports }, ends)));
    expect(asked(bench)).toEqual(['close']);
  });
});
