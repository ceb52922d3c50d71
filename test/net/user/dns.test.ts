import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolve } from '../../../src/net/user/dns.ts';
import type { NameRecord } from '../../../src/net/world/world.ts';
import { DNS_RESULTS, DNS_TYPES, parseDnsQuery } from '../../../src/packets/dns.ts';
import { parseEthernet } from '../../../src/packets/ethernet.ts';
import { parseIpv4 } from '../../../src/packets/ipv4.ts';
import { parseUdp } from '../../../src/packets/udp.ts';
import { arp, udp, udp6 } from '../../oracle/slirp/frames.ts';
import { tsharkFields } from '../../packets/dissect/judge.ts';
import { tool, without } from '../../stepping-aside.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { query } from '../dns-query.ts';
import { Wire } from '../wire.ts';

const folder = scratchFolder();

const NAMES: readonly NameRecord[] = [
  { name: 'www.example.org', type: 'CNAME', value: 'web.example.org' },
  { name: 'web.example.org', type: 'A', value: '198.51.100.7', ttl: 60 },
  { name: 'web.example.org', type: 'AAAA', value: '2001:db8::7' },
  { name: 'round.example.org', type: 'CNAME', value: 'round.example.org' },
  { name: 'lost.example.org', type: 'CNAME', value: 'nowhere.example.org' },
];

const asked = (name: string, type: number) => {
  const { result, records } = resolve(NAMES, parseDnsQuery(query(name, type))!.question!);
  return [result, ...records.map((record) => `${record.name} ${record.type} ${[...record.data].join('.')}`)];
};

const { A, AAAA, PTR, CNAME, MX, ANY } = DNS_TYPES;
const WEB = 'web.example.org 1 198.51.100.7';
const ALIAS = 'www.example.org 5 3.119.101.98.7.101.120.97.109.112.108.101.3.111.114.103.0';
const CALLED = '3.119.101.98.7.101.120.97.109.112.108.101.3.111.114.103.0';

describe("the world's names", () => {
  test.each([
    ['web.example.org', A, [DNS_RESULTS.FOUND, WEB]],
    ['WEB.Example.ORG', A, [DNS_RESULTS.FOUND, 'WEB.Example.ORG 1 198.51.100.7']],
    ['web.example.org', AAAA, [DNS_RESULTS.FOUND, 'web.example.org 28 32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.7']],
    ['web.example.org', MX, [DNS_RESULTS.FOUND]],
    ['www.example.org', A, [DNS_RESULTS.FOUND, ALIAS, WEB]],
    ['www.example.org', CNAME, [DNS_RESULTS.FOUND, ALIAS]],
    ['lost.example.org', A, [DNS_RESULTS.FOUND, expect.stringContaining('lost.example.org 5')]],
    ['other.example.org', A, [DNS_RESULTS.NO_NAME]],
    ['7.100.51.198.in-addr.arpa', PTR, [DNS_RESULTS.FOUND, `7.100.51.198.in-addr.arpa 12 ${CALLED}`]],
    ['8.100.51.198.in-addr.arpa', PTR, [DNS_RESULTS.NO_NAME]],
    [
      '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
      PTR,
      [DNS_RESULTS.FOUND, expect.stringContaining(CALLED)],
    ],
  ])('%s, type %i', (name, type, answer) => {
    expect(asked(name, type)).toEqual(answer);
  });

  test('a circle of names ends', () => {
    expect(asked('round.example.org', A).length).toBeLessThan(12);
  });

  test('of everything that is known', () => {
    expect(asked('web.example.org', ANY)).toHaveLength(3);
  });
});

describe('a query over the wire', () => {
  const wire = new Wire({ world: { names: NAMES } });
  wire.frames(arp('10.0.2.3'));

  test('is answered by the resolver when the link has carried it', () => {
    const [sent, ...others] = wire.answers(udp(53, query('web.example.org', A), { to: '10.0.2.3' }));
    expect(others).toEqual([]);
    expect(sent!.due).toBeGreaterThan(wire.now);
    const packet = parseIpv4(parseEthernet(sent!.bytes)!.payload)!;
    const datagram = parseUdp(packet.payload)!;
    expect([datagram.sourcePort, datagram.destinationPort]).toEqual([53, 4000]);
    // RFC 1035, 4: an answer to 4711h, found, of one question; the name is the question's, and lives for a minute.
    expect([...datagram.payload.subarray(0, 12)]).toEqual([0x47, 0x11, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    expect([...datagram.payload.slice(-16)]).toEqual([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 7]);
    expect(wire.ofKind('sim:name_resolved').at(-1)).toMatchObject({ name: 'web.example.org', answer: '198.51.100.7' });
  });

  test('that asks nothing is told so, and one that is none is not answered', () => {
    const empty = Uint8Array.of(1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const [told] = wire.frames(udp(53, empty, { to: '10.0.2.3' }));
    expect(parseUdp(parseIpv4(parseEthernet(told!)!.payload)!.payload)!.payload[3]).toBe(0x81);
    for (const cut of [0, 5, 11, 20]) {
      expect(wire.frames(udp(53, query('web.example.org', A).slice(0, cut), { to: '10.0.2.3' }))).toEqual([]);
    }
  });

  test('goes over IPv6 as well', () => {
    const before = wire.ofKind('sim:name_resolved').length;
    wire.frames(udp6(53, query('web.example.org', AAAA), { to: 'fec0::3' }));
    expect(wire.ofKind('sim:name_resolved').slice(before)[0]).toMatchObject({ type: 'AAAA', answer: '2001:db8::7' });
  });

  test('that is too long an answer is cut', () => {
    const many = Array.from({ length: 40 }, (_, at): NameRecord => {
      return { name: 'many.example.org', type: 'A', value: `198.51.100.${at}` };
    });
    const large = new Wire({ world: { names: many } });
    large.frames(arp('10.0.2.3'));
    const [sent] = large.frames(udp(53, query('many.example.org', A), { to: '10.0.2.3' }));
    const { payload } = parseUdp(parseIpv4(parseEthernet(sent!)!.payload)!.payload)!;
    expect(payload.length).toBeLessThan(512);
    expect(payload[2]! & 2).toBe(2);
  });
});

describe('answers', () => {
  test.each([
    ['web.example.org', A, '0', 'dns.a', ['198.51.100.7']],
    ['www.example.org', AAAA, '0', 'dns.aaaa', ['2001:db8::7']],
    ['www.example.org', A, '0', 'dns.cname', ['web.example.org']],
    ['7.100.51.198.in-addr.arpa', PTR, '0', 'dns.ptr.domain_name', ['web.example.org']],
    ['other.example.org', A, '3', 'dns.a', []],
    ['web.example.org', MX, '0', 'dns.a', []],
    ['web.example.org', ANY, '0', 'dns.aaaa', ['2001:db8::7']],
  ])('about %s of type %i are read by tshark', without(tool('tshark')), (name, type, result, field, values) => {
    const wire = new Wire({ world: { names: NAMES } });
    const frames = [arp('10.0.2.3'), udp(53, query(name, type), { to: '10.0.2.3' })].flatMap((frame) =>
      wire.frames(frame),
    );
    const names = [field, 'dns.flags.rcode', 'dns.qry.name', '_ws.malformed', '_ws.expert.severity'];
    const [, answer] = tsharkFields(frames, names, join(folder, `${name} ${type}.pcap`));
    expect(answer).toEqual([values, [result], [name], [], []]);
  });
});
