import { describe, expect, test } from 'vitest';
import { USER_LIVE_FACTS } from '../../../src/events/user-live.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { MOST_NAMES, MOST_QUERIES, MOST_WAYS } from '../../../src/net/live/state.ts';
import { driver } from '../../../src/net/user/index.ts';
import { NOTHING } from '../../../src/packets/layout.ts';
import { IP_PROTOCOLS } from '../../../src/packets/ipv4.ts';
import { buildTcp, TCP_FLAGS } from '../../../src/packets/tcp.ts';
import { arp, bytesOf, ip, ipv4, udp, udp6 } from '../../oracle/slirp/frames.ts';
import { query } from '../dns-query.ts';
import { setupOf, Wire } from '../wire.ts';

/** The first segment of a connection. */
function syn(to: string, port: number, own = 4000): Uint8Array {
  const ends = { source: ip('10.0.2.15'), destination: ip(to), protocol: IP_PROTOCOLS.TCP };
  const numbers = { sequence: 1000, acknowledgment: 0, flags: TCP_FLAGS.SYN, window: 64_000, urgent: 0 };
  const ports = { sourcePort: own, destinationPort: port };
  const payload = buildTcp({ ...numbers, ...ports, options: NOTHING, payload: NOTHING }, ends);
  return ipv4({ to, protocol: IP_PROTOCOLS.TCP, payload });
}

function wireWith(live: string, more: object = {}): Wire {
  const wire = new Wire({ live, ...more });
  wire.frames(arp('10.0.2.2'));
  return wire;
}

/** Where a wire's sockets have been asked to go. */
const wentTo = (wire: Wire): string[] => [
  ...wire
    .ofKind('sim:socket_asked')
    .flatMap(({ what, host, port }) => (what === 'open' ? [`tcp ${host}:${port}`] : [])),
  ...wire.ofKind('sim:way_opened').map(({ to, host_port }) => `udp ${to}:${host_port}`),
];

/** By which ways datagrams have gone, and what the last packet has where they lay. */
const datagramsOf = (wire: Wire): [number, string][] =>
  wire
    .ofKind('sim:datagram_sent')
    .map(({ way, offset, length }) => [way, wire.state.packet.slice(offset, offset + length)]);

const asksOutside = (event: MachineEvent): boolean => event.kind in USER_LIVE_FACTS;

describe('whom a guest reaches by live=', () => {
  test.each([
    ['', '10.0.2.2', 80, undefined],
    ['', '198.51.100.7', 80, undefined],
    ['localhost', '10.0.2.2', 80, '127.0.0.1'],
    ['localhost:80', '10.0.2.2', 80, '127.0.0.1'],
    ['127.0.0.1:80', '10.0.2.2', 80, '127.0.0.1'],
    ['10.0.2.2:80', '10.0.2.2', 80, '127.0.0.1'],
    ['localhost:80', '10.0.2.2', 81, undefined],
    ['localhost:80', '127.0.0.1', 80, undefined],
    ['localhost', '198.51.100.7', 80, undefined],
    ['198.51.100.7', '10.0.2.2', 80, undefined],
    ['198.51.100.7', '198.51.100.7', 80, '198.51.100.7'],
    ['198.51.100.7:443', '198.51.100.7', 80, undefined],
    ['198.51.100.7:443+198.51.100.8', '198.51.100.8', 80, '198.51.100.8'],
    ['www.example.org', '198.51.100.7', 80, undefined],
    ['any', '198.51.100.7', 80, '198.51.100.7'],
    ['any', '10.0.2.2', 80, '127.0.0.1'],
    ['any', '10.0.2.3', 80, undefined],
    ['any', '10.0.2.77', 80, undefined],
    ['any', '127.0.0.1', 80, undefined],
    ['any', '0.1.2.3', 80, undefined],
    ['any', '224.0.0.251', 5353, undefined],
    ['any', '255.255.255.255', 5353, undefined],
  ])('%j: %s port %i is %s', (live, to, port, host) => {
    const wire = wireWith(live);
    wire.frames(syn(to, port));
    wire.frames(udp(port, bytesOf('hello'), { to }));
    expect(wentTo(wire)).toEqual(host === undefined ? [] : [`tcp ${host}:${port}`, `udp ${host}:${port}`]);
  });

  test.each([
    ['localhost', 'fec0::2', '::1'],
    ['[::1]:80', 'fec0::2', '::1'],
    ['any', '2001:db8::7', '2001:db8::7'],
    ['[2001:db8::7]:80', '2001:db8::7', '2001:db8::7'],
    ['[2001:db8::7]:81', '2001:db8::7', undefined],
    ['any', 'fec0::77', undefined],
    ['any', '::1', undefined],
    ['any', '::7f00:1', undefined],
    ['any', '::ffff:7f00:1', undefined],
    ['any', 'fe80::7', undefined],
    ['any', 'ff02::fb', undefined],
  ])('%j: a datagram to %s goes to %s', (live, to, host) => {
    const wire = wireWith(live);
    wire.frames(udp6(80, bytesOf('hello'), { to }));
    expect(wentTo(wire)).toEqual(host === undefined ? [] : [`udp ${host}:80`]);
  });

  test('a host of the world is the world, whatever is allowed', () => {
    const wire = wireWith('any', { world: { hosts: [{ addresses: ['198.51.100.7'] }] } });
    wire.frames(syn('198.51.100.7', 80));
    wire.frames(udp(80, bytesOf('hello'), { to: '198.51.100.7' }));
    expect(wentTo(wire)).toEqual([]);
  });

  test('nothing is asked of the host where nobody is named, whatever the guest sends', () => {
    const wire = wireWith('');
    let word = 1;
    const below = (most: number): number => {
      word = (Math.imul(word, 1_103_515_245) + 12_345) >>> 0;
      return (word >>> 8) % most;
    };
    for (let at = 0; at < 2000; at++) {
      const to = below(3) === 0 ? `10.0.2.${below(256)}` : [256, 256, 256, 256].map(below).join('.');
      const port = below(2) === 0 ? 53 : below(65_536);
      wire.frames(below(2) === 0 ? syn(to, port, 1024 + at) : udp(port, query('example.org', 1), { to }));
    }
    expect(wire.raised.filter(asksOutside)).toEqual([]);
  });

  test('a name is asked for where it is named, and stands then for what the host has said', () => {
    const wire = wireWith('www.example.org:443');
    const ask = (name: string): void => void wire.frames(udp(53, query(name, 1), { to: '10.0.2.3' }));
    ask('other.example.org');
    ask('localhost');
    expect(wire.ofKind('sim:name_asked')).toEqual([]);
    ask('WWW.example.org');
    expect(wire.ofKind('sim:name_asked')).toMatchObject([{ query: 1, name: 'www.example.org', type: 'A' }]);
    const found = { kind: 'sim:name_found', dev: 'n0', query: 1, errno: 0 } as const;
    // Whoever answers may say that it is the host itself: that is another host than the one that was named.
    expect(wire.hears({ ...found, addresses: '198.51.100.7 127.0.0.1 10.0.2.2' })).toHaveLength(1);
    expect(wire.ofKind('sim:name_resolved').at(-1)).toMatchObject({ name: 'WWW.example.org' });
    for (const to of ['198.51.100.7', '127.0.0.1', '10.0.2.2', '198.51.100.8']) wire.frames(syn(to, 443));
    wire.frames(syn('198.51.100.7', 80, 4001));
    expect(wentTo(wire)).toEqual(['tcp 198.51.100.7:443']);
  });

  test.each([
    ['any+localhost', 'any stands alone'],
    ['localhost:0', '0 is no port'],
    ['localhost:70000', '70000 is no port'],
    ['10.0.2', 'names no host'],
    ['a b', 'names no host'],
    ['http://localhost', 'names no host'],
    ['[fec0::x]:80', 'is no address of IPv6'],
    ['+', 'names no host'],
    ['a+'.repeat(70), 'more than 64'],
  ])('%j is refused', (live, why) => {
    expect(() => driver.settle!(setupOf({ live }), {})).toThrow(why);
  });

  test('restrict=on forbids it', () => {
    expect(() => driver.settle!(setupOf({ live: 'any', restrict: true }), {})).toThrow('restrict=on');
  });
});

describe('datagrams', () => {
  const way = { dev: 'n0', way: 1 } as const;

  test('come back from whom they went to, and what nobody takes is told', () => {
    const wire = wireWith('localhost:5353');
    wire.frames(udp(5353, bytesOf('hello')));
    expect(datagramsOf(wire)).toEqual([[1, 'hello']]);
    const [answer] = wire.hears({ kind: 'sim:datagram_received', ...way, bytes: bytesOf('ok') });
    expect([...answer!.bytes.subarray(26, 30)]).toEqual([10, 0, 2, 2]);
    const [error] = wire.hears({ kind: 'sim:datagram_refused', ...way, errno: 111 });
    // ICMP: the port is unreachable.
    expect([...error!.bytes.subarray(34, 36)]).toEqual([3, 3]);
    expect(wire.hears({ kind: 'sim:datagram_received', dev: 'n0', way: 2, bytes: bytesOf('ok') })).toEqual([]);
  });

  test('have so many ways, and old ones make place', () => {
    const wire = wireWith('localhost');
    for (let own = 0; own < 3 * MOST_WAYS; own++) wire.frames(udp(5353, bytesOf('hello'), {}, 5000 + own));
    expect(wire.state.live.ways).toHaveLength(MOST_WAYS);
    expect(wire.ofKind('sim:way_closed')).toHaveLength(2 * MOST_WAYS);
    wire.pass(300e9);
    wire.frames(udp(5353, bytesOf('hello'), {}, 4999));
    expect(wire.state.live.ways).toHaveLength(1);
  });

  test('that come to a port of the host are answered by its way', () => {
    const wire = new Wire({ hostfwd: 'udp::5000-:53' });
    wire.frames(arp('10.0.2.2'));
    const visited = { kind: 'sim:datagram_accepted', dev: 'n0', forward: 1, host: '127.0.0.1', port: 6000 } as const;
    expect(wire.hears({ ...visited, bytes: bytesOf('hello') })).toHaveLength(1);
    wire.frames(udp(6000, bytesOf('ok'), {}, 53));
    wire.frames(udp(6001, bytesOf('ok'), {}, 53));
    expect(datagramsOf(wire)).toEqual([[1, 'ok']]);
  });
});

test('what a trace says of sockets is bounded, and nothing stands or falls by it', () => {
  const wire = wireWith('any', { hostfwd: 'tcp::1-:1' });
  for (let at = 0; at < 150; at++) {
    const of = { dev: 'n0', connection: at } as const;
    wire.frames(syn('198.51.100.7', 80, 1024 + at));
    wire.frames(udp(53, query(`n${at}.example.org`, 1), { to: '10.0.2.3' }));
    const addresses = `198.51.${at}.1 x 198.51.${at}.2 2001:db8::${at}`;
    wire.hears({ kind: 'sim:name_found', dev: 'n0', query: at, addresses, errno: at % 3 });
    wire.hears({ kind: 'sim:socket_opened', ...of, errno: at % 2 });
    wire.hears({ kind: 'sim:socket_data', ...of, bytes: new Uint8Array(150_000) });
    wire.hears({ kind: 'sim:socket_taken', ...of, length: 2 ** 40 });
    wire.hears({ kind: 'sim:socket_accepted', dev: 'n0', visitor: at, forward: at % 3, host: 'x', port: 70_000 });
    if (at % 5 === 0) wire.hears({ kind: 'sim:socket_reset', ...of, errno: 104 });
    if (at % 7 === 0) wire.hears({ kind: 'sim:socket_ended', ...of });
  }
  const { live, tcp } = wire.state;
  expect(live.names.length).toBeLessThanOrEqual(MOST_NAMES);
  expect(live.queries.length).toBeLessThanOrEqual(MOST_QUERIES);
  expect(Object.keys(tcp.connections).length).toBeLessThanOrEqual(512);
  for (const { queued } of Object.values(tcp.connections)) expect(queued).toBeLessThanOrEqual(128 * 1024);
});
