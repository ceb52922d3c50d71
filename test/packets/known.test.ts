import { describe, expect, test } from 'vitest';
import { hexadecimal } from '../../src/base/bytes.ts';
import { ethernetOf, ethernetText, ipv4Of, ipv4Text, ipv6Of, ipv6Text } from '../../src/packets/addresses.ts';
import { internetChecksum } from '../../src/packets/checksum.ts';
import { buildDhcp, dhcpOption, parseDhcp } from '../../src/packets/dhcp.ts';
import { buildDhcpv6, parseDhcpv6 } from '../../src/packets/dhcpv6.ts';
import { dnsName, parseDnsQuery } from '../../src/packets/dns.ts';
import { mssOf, mssOption } from '../../src/packets/tcp.ts';

describe('addresses', () => {
  // RFC 5952, 4, and RFC 4291, 2.2.
  test.each([
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::0001', '2001:db8::1'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1::', '1::'],
    ['::ffff:192.0.2.128', '::ffff:c000:280'],
  ])('%s is %s', (spelled, text) => {
    expect(ipv6Text(ipv6Of(spelled)!)).toBe(text);
  });

  test.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '12345::',
    'g::',
    '::1.2.3',
    '::256.1.1.1',
  ])('%j is none of IPv6', (text) => {
    expect(ipv6Of(text)).toBeUndefined();
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '1.2.3.x', ' 1.2.3.4'])('%j is none of IPv4', (text) => {
    expect(ipv4Of(text)).toBeUndefined();
  });

  test('of IPv4 and Ethernet go both ways', () => {
    expect(ipv4Text(ipv4Of('255.0.2.15')!)).toBe('255.0.2.15');
    expect(ethernetText(ethernetOf('52:54:0:12:34:56')!)).toBe('52:54:00:12:34:56');
    expect(ethernetOf('52:54:00:12:34')).toBeUndefined();
  });
});

describe('checksums', () => {
  test('of RFC 1071, 3, and of a length that is odd', () => {
    expect(internetChecksum(Uint8Array.of(0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(0xffff - 0xddf2);
    expect(internetChecksum(Uint8Array.of(1))).toBe(0xfeff);
    expect(internetChecksum(new Uint8Array(70_000).fill(0xff))).toBe(0);
  });
});

describe('names of DNS', () => {
  const header = '123401000001000000000000';
  const bytesOf = (text: string): Uint8Array =>
    Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));

  test('are labels, of a length each', () => {
    expect(hexadecimal(dnsName('ab.c')!)).toBe('026162016300');
  });

  test.each([
    ['that goes on before', `${header}0161c00c00010001`],
    ['that goes on in itself', `${header}c00c00010001`],
    ['that goes on behind', `${header}c02000010001`],
    ['that is cut', `${header}0361`],
    ['without its type', `${header}016100`],
    ['of a reserved kind', `${header}40610000010001`],
  ])('one %s is none', (_, query) => {
    expect(parseDnsQuery(bytesOf(query))).toBeUndefined();
  });

  test.each(['a..b', `${'a'.repeat(64)}.b`, Array.from({ length: 60 }, () => 'abcde').join('.')])(
    '%s is none',
    (name) => {
      expect(dnsName(name)).toBeUndefined();
    },
  );
});

describe('messages', () => {
  test('of DHCP keep what they say', () => {
    const said = {
      ...{
        op: 1,
        xid: 0x1234_5678,
        seconds: 7,
        flags: 0x8000,
        clientIpv4: 1,
        yourIpv4: 2,
        serverIpv4: 3,
        relayIpv4: 4,
      },
      ...{ clientEthernet: 0x5254_0012_3456, serverName: 'server', file: 'a/file' },
      options: [
        { code: 53, data: Uint8Array.of(1) },
        { code: 12, data: new Uint8Array(255) },
      ],
    };
    expect(parseDhcp(buildDhcp(said))).toEqual(said);
    expect(parseDhcp(buildDhcp(said, 1000))).toEqual(said);
    expect(dhcpOption(said, 53)).toEqual(Uint8Array.of(1));
    expect(dhcpOption({ ...said, options: undefined }, 53)).toBeUndefined();
  });

  test('of DHCPv6 keep what they say', () => {
    const said = { type: 11, xid: 0xab_cdef, options: [{ code: 6, data: Uint8Array.of(0, 23) }] };
    expect(parseDhcpv6(buildDhcpv6(said))).toEqual(said);
  });

  test("of TCP say how long the other's may be", () => {
    expect(mssOf(Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, ...mssOption(1460)))).toBe(1460);
    expect(mssOf(Uint8Array.of(0, ...mssOption(1460)))).toBeUndefined();
    expect(mssOf(Uint8Array.of(5, 1, ...mssOption(1460)))).toBeUndefined();
  });
});
