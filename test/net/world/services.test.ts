import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { sha256Add, SHA256_START, sha256Text } from '../../../src/base/sha256.ts';
import type { Draft } from '../../../src/base/draft.ts';
import { receiveIpv4 } from '../../../src/net/user/ipv4.ts';
import { bytesOf } from '../../../src/net/world/say.ts';
import { type LinkRules, namesOf, type Service, type World } from '../../../src/net/world/world.ts';
import { ipv4Of } from '../../../src/packets/addresses.ts';
import { buildIcmp, ICMP_TYPES, parseIcmp } from '../../../src/packets/icmp.ts';
import { buildIpv4, IP_PROTOCOLS, parseIpv4 } from '../../../src/packets/ipv4.ts';
import { parseTcp, TCP_FLAGS } from '../../../src/packets/tcp.ts';
import { buildUdp, parseUdp } from '../../../src/packets/udp.ts';
import { Bench } from '../bench.ts';
import { Client, fromGuest } from '../client.ts';
import { GUEST, guestSegment, newTalk } from '../conversation.ts';

const HOST = '10.0.2.9';
const host = ipv4Of(HOST)!;
/** 1 February 2024, 12:34:56. */
const TIME = 1_706_790_896;

const worldOf = (...services: Service[]): World => ({ time: TIME, hosts: [{ addresses: [HOST], services }] });

/** What comes back for a datagram. */
function answerTo(bench: Bench, port: number, payload: Uint8Array): Uint8Array | undefined {
  const ends = { source: GUEST, destination: host, protocol: IP_PROTOCOLS.UDP };
  bench.receive(fromGuest(host, ends.protocol, buildUdp({ sourcePort: 999, destinationPort: port, payload }, ends)));
  const [sent] = bench.sent.splice(0);
  return sent === undefined ? undefined : parseUdp(parseIpv4(sent.bytes)!.payload)!.payload;
}

describe('services of TCP', () => {
  test('echo says back 300,000 bytes, and keeps no more than 128 KiB', () => {
    const text = Array.from({ length: 300_000 }, (_, at) => String.fromCharCode((at * 7) % 256)).join('');
    const bench = new Bench(worldOf({ kind: 'echo', port: 7 }), {}, false);
    const client = new Client(bench, HOST, 7);
    expect(client.say(text)).toBe(text);
    client.end();
    expect(client.hasEnded).toBe(true);
  });

  test('an echo nobody listens to closes its window', () => {
    const bench = new Bench(worldOf({ kind: 'echo', port: 7 }), {}, false);
    const client = new Client(bench, HOST, 7);
    client.listen = () => {};
    client.say('x'.repeat(400_000));
    const { pieces, app } = bench.net.state.tcp.connections[1]!;
    const kept = pieces.reduce((sum, piece) => sum + (piece.of === 'text' ? piece.text.length : 0), 0);
    expect(kept + (app.kind === 'echo' ? app.heard.length : 0)).toBeLessThanOrEqual(2 * 128 * 1024);
    expect(parseTcp(parseIpv4(bench.sent.at(-1)!.bytes)!.payload)!.window).toBe(0);
  });

  test('chargen says lines of RFC 864 until the guest ends', () => {
    const client = new Client(new Bench(worldOf({ kind: 'chargen', port: 19 }), {}, false), HOST, 19);
    const [first, second] = client.heard.split('\r\n');
    expect(first).toMatch(/^ !"#\$%&'\(\)\*\+,-.\/0123456789.{46}$/);
    expect(second).toBe(`${first!.slice(1)}h`);
    client.end();
    expect(client.isReset).toBe(false);
  });

  test('daytime says what time it is, and ends', () => {
    const bench = new Bench(worldOf({ kind: 'daytime', port: 13 }));
    bench.passTo(5_000_000_000);
    const client = new Client(bench, HOST, 13);
    expect([client.heard, client.hasEnded]).toEqual(['01-FEB-2024 12:35:01-UTC\r\n', true]);
  });

  test('one that stalls takes so much and closes its window', () => {
    const bench = new Bench(worldOf({ kind: 'sink', port: 9, stallAfter: 20_000 }), {}, false);
    new Client(bench, HOST, 9).say('x'.repeat(200_000));
    expect(bench.net.state.tcp.connections[1]!.moved).toBeLessThan(20_000 + 65_536);
    expect(bench.ofKind('sim:tcp_sent').at(-1)!.window).toBe(0);
  });

  test('one that resets does so', () => {
    const bench = new Bench(worldOf({ kind: 'sink', port: 9, resetAfter: 20_000 }));
    const client = new Client(bench, HOST, 9);
    client.say('x'.repeat(19_000));
    expect(client.isReset).toBe(false);
    client.say('x'.repeat(1000));
    expect(client.isReset).toBe(true);
    expect(bench.ofKind('sim:tcp_closed')).toMatchObject([{ why: 'reset by the host' }]);
  });
});

describe('who answers where', () => {
  /** What comes back for a SYN to port 80. */
  function answerAt(address: string, given = {}): string {
    const bench = new Bench(worldOf({ kind: 'http', port: 80 }), given);
    const payload = guestSegment(newTalk(), 80, 'S seq 0 mss 1460', ipv4Of(address)!);
    bench.receive(fromGuest(ipv4Of(address)!, IP_PROTOCOLS.TCP, payload));
    const ip = parseIpv4(bench.sent[0]!.bytes)!;
    if (ip.protocol === IP_PROTOCOLS.ICMP) return `ICMP ${parseIcmp(ip.payload)!.type} ${parseIcmp(ip.payload)!.code}`;
    return (parseTcp(ip.payload)!.flags & TCP_FLAGS.RST) === 0 ? 'open' : 'reset';
  }

  test('a service, who has none, and nobody', () => {
    expect(answerAt(HOST)).toBe('open');
    expect(answerAt('10.0.2.2')).toBe('reset');
    expect(answerAt('10.0.2.3')).toBe('reset');
    expect(answerAt('192.0.2.1')).toBe('ICMP 3 0');
  });

  test('a guest that is restricted reaches only what forwarding leads to', () => {
    expect(answerAt(HOST, { restrict: true })).toBe('reset');
    const guestfwd = 'tcp:10.0.2.77:80-builtin:echo';
    expect(answerAt('10.0.2.77', { restrict: true, guestfwd })).toBe('open');
    expect(answerAt('10.0.2.77', { restrict: true })).toBe('reset');
  });
});

test('a name of a host stands for its addresses, beside the names a world has', () => {
  const names = [{ name: 'www.test', type: 'CNAME', value: 'a.test' }] as const;
  const hosts = [{ name: 'a.test', addresses: ['10.0.2.9', 'fec0::9'] }, { addresses: ['10.0.2.8'] }];
  expect(namesOf({ names, hosts })).toEqual([
    names[0],
    { name: 'a.test', type: 'A', value: '10.0.2.9' },
    { name: 'a.test', type: 'AAAA', value: 'fec0::9' },
  ]);
});

test('a ping goes the way of everything else', () => {
  const ping = (link: LinkRules): readonly number[] => {
    const bench = new Bench({ ...worldOf(), link });
    const payload = buildIcmp({ type: ICMP_TYPES.ECHO_REQUEST, code: 0, rest: 1, payload: new Uint8Array(56) });
    receiveIpv4(bench.net, buildIpv4(fromGuest(host, IP_PROTOCOLS.ICMP, payload)));
    return bench.sent.map(({ due }) => due);
  };
  expect(ping({})).toEqual([0]);
  expect(ping({ latency: 7000, duplicate: 1 })).toEqual([7000, 7000]);
  expect(ping({ loss: 1 })).toEqual([]);
});

describe('services of UDP', () => {
  test('echo, chargen, daytime', () => {
    const kinds = ['echo', 'chargen', 'daytime'] as const;
    const bench = new Bench(worldOf(...kinds.map((kind, at) => ({ kind, port: at + 1, protocol: 'udp' as const }))));
    expect(answerTo(bench, 1, bytesOf('abc'))).toEqual(bytesOf('abc'));
    expect(answerTo(bench, 2, bytesOf(''))).toHaveLength(74);
    expect(answerTo(bench, 3, bytesOf(''))).toEqual(bytesOf('01-FEB-2024 12:34:56-UTC\r\n'));
    expect(answerTo(bench, 4, bytesOf('abc'))).toBeUndefined();
  });

  test('a datagram too large for the way is told so if it may not be in parts', () => {
    const bench = new Bench({ ...worldOf({ kind: 'echo', port: 7, protocol: 'udp' }), link: { mtu: 1000 } });
    const payload = new Uint8Array(973);
    const ends = { source: GUEST, destination: host, protocol: IP_PROTOCOLS.UDP };
    const ip = fromGuest(host, ends.protocol, buildUdp({ sourcePort: 999, destinationPort: 7, payload }, ends));
    bench.receive({ ...ip, header: buildIpv4(ip).subarray(0, 20), dontFragment: true });
    const { type, code, rest } = parseIcmp(parseIpv4(bench.sent.pop()!.bytes)!.payload)!;
    expect([type, code, rest]).toEqual([3, 4, 1000]);
    expect(answerTo(bench, 7, payload)).toEqual(payload);
  });

  test('NTP says the virtual time', () => {
    const bench = new Bench(worldOf({ kind: 'ntp', port: 123 }));
    bench.passTo(1_250_000_000);
    const asked = new Uint8Array(48);
    asked.set([0x23]);
    asked.set([1, 2, 3, 4, 5, 6, 7, 8], 40);
    const answer = answerTo(bench, 123, asked)!;
    const view = new DataView(answer.buffer, answer.byteOffset);
    expect([answer[0], answer[1], answer.length]).toEqual([0x24, 1, 48]);
    expect([...answer.subarray(24, 32)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(view.getUint32(40)).toBe(TIME + 1 + 2_208_988_800);
    expect(view.getUint32(44)).toBe(0x4000_0000);
    expect(answerTo(bench, 123, asked.subarray(0, 47))).toBeUndefined();
  });
});

test.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])('SHA-256 of %i bytes, in pieces', (length) => {
  const bytes = Uint8Array.from({ length }, (_, at) => (at * 31) % 256);
  const hash = { ...SHA256_START, words: [...SHA256_START.words] } as Draft<typeof SHA256_START>;
  for (let at = 0; at < length; at += 37) sha256Add(hash, bytes.subarray(at, at + 37));
  expect(sha256Text(hash)).toBe(createHash('sha256').update(bytes).digest('hex'));
});
