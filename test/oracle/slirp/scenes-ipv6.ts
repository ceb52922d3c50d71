import { joined, NOTHING, putWide } from '../../../src/packets/layout.ts';
import { changed, filler, GUEST, GUEST6, icmp6, ip6, ipv6, OTHER, udp6 } from './frames.ts';
import { type Asked, ask, type Question } from './question.ts';

const SOLICITED = 'ff02::1:ff00:2';
const DHCP_SERVERS = 'ff02::1:2';

/** Reserved bits and an address, and an option that says where the guest is. */
function about(address: string, first = 0): Uint8Array {
  const body = new Uint8Array(20);
  body[0] = first;
  putWide(body, 4, ip6(address));
  return joined(body, Uint8Array.of(1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56));
}

const router = (packet = {}, code = 0, body = filler(4)): Uint8Array =>
  icmp6(133, body, { to: 'ff02::2', ...packet }, code);

const who = (address: string, packet = {}, code = 0): Uint8Array =>
  icmp6(135, about(address), { to: SOLICITED, ...packet }, code);

const here = (address: string, packet = {}, first = 0x60): Uint8Array => icmp6(136, about(address, first), packet);

const echo6 = (length: number, packet = {}, code = 0): Uint8Array => icmp6(128, filler(4 + length), packet, code);

const GLOBAL = 'fec0::5054:ff:fe12:3456';
const STRANGER = 'fec0::77';

const DISCOVERY: readonly Asked[] = [
  ask('an echo of a stranger', echo6(20)),
  ask('who says where it is', here(GUEST6), 60),
  ask('who asks for a router', router()),
  ask('from nobody', router({ from: '::' })),
  ask('with a code', router({}, 1)),
  ask('from far away', router({ hopLimit: 64 })),
  ask('without reserved bits', router({}, 0, NOTHING)),
  ask('with options', router({}, 0, joined(filler(4), Uint8Array.of(1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56)))),
  ask('whose checksum is wrong', changed(router(), [56, 0x55])),
  ask('who is a router', icmp6(134, filler(12), { to: 'ff02::1' })),
  ...['fec0::2', 'fec0::3', 'fe80::2', 'fe80::3', 'fec0::4', 'fec1::2', '2001:db8::2', GLOBAL, 'ff02::1'].map(
    (address) => ask(`who is ${address}`, who(address)),
  ),
  ask('from nobody', who('fec0::2', { from: '::' })),
  ask('from nobody to somebody', who('fec0::2', { from: '::', to: 'fec0::2' })),
  ask('to somebody', who('fec0::2', { to: 'fec0::2' })),
  ask('from a global address', who('fec0::2', { from: GLOBAL })),
  ask('from a group', who('fec0::2', { from: 'ff02::5' })),
  ask('from far away', who('fec0::2', { hopLimit: 254 })),
  ask('with a code', who('fec0::2', {}, 1)),
  ask('which is cut', icmp6(135, about('fec0::2').slice(0, 16), { to: SOLICITED })),
  ask('without options', icmp6(135, about('fec0::2').slice(0, 20), { to: SOLICITED })),
  ask('redirected', icmp6(137, filler(36))),
  ask('an unknown message', icmp6(200, filler(36))),
  ask('an error', icmp6(1, filler(36))),
];

const ECHOES: readonly Asked[] = [
  ask('who asks for a router', router()),
  ...[0, 1, 56, 1448].map((length) => ask(`an echo of ${length}`, echo6(length))),
  ...['fec0::3', 'fe80::2', 'fe80::3'].map((to) => ask(`of ${to}`, echo6(20, { to }))),
  ...['fec0::9', '2001:db8::1', 'ff02::1'].map((to) => ask(`of nobody at ${to}`, echo6(20, { to }), 60)),
  ask('with a code', echo6(20, {}, 3)),
  ask('a short one', icmp6(128, NOTHING)),
  ask('no message', ipv6({ protocol: 58, payload: Uint8Array.of(128, 0, 0) })),
  ask('whose checksum is wrong', changed(echo6(20), [56, 0x55])),
  ask('of a class and a flow', echo6(20, { trafficClass: 0x5a, flowLabel: 0x12345 })),
  ask('whose hops are up', echo6(20, { hopLimit: 0 })),
  ask('whose hops are up, from nobody', echo6(20, { hopLimit: 0, from: '::' })),
  ask('whose hops are up, padded', joined(echo6(20, { hopLimit: 0 }), filler(9))),
  ask('whose hops are nearly up', echo6(20, { hopLimit: 1 })),
  ask('too big', echo6(1500)),
  ask('too big, as it says', changed(echo6(20), [18, 0x20])),
  ask('longer than it is', changed(echo6(20), [19, 0x90])),
  ask('padded', joined(echo6(4), filler(20))),
  ask('of version 4', changed(echo6(20), [14, 0x40])),
  ...[14, 30, 53].map((length) => ask(`cut to ${length}`, echo6(20).slice(0, length))),
  ask('of no protocol', ipv6({ payload: filler(20) })),
  ask('of options first', ipv6({ protocol: 0, payload: joined(Uint8Array.of(58, 0, 1, 4, 0, 0, 0, 0), filler(8)) })),
  ask('of a stranger', echo6(20, { from: STRANGER, ethernet: OTHER })),
  ask('and again', echo6(21, { from: STRANGER, ethernet: OTHER })),
  ask('who says where it is', here(STRANGER, { from: STRANGER, ethernet: OTHER }), 60),
  ask('and is known', echo6(20, { from: STRANGER, ethernet: OTHER })),
  ask('an answer to all', here(STRANGER, { from: STRANGER, to: 'ff02::1', ethernet: GUEST }, 0x20)),
  ask('which is known', echo6(20, { from: STRANGER, ethernet: OTHER })),
  ask('an answer to all that was asked for', here(STRANGER, { from: STRANGER, to: 'ff02::1', ethernet: OTHER }, 0x60)),
  ask('which is not heard', echo6(20, { from: STRANGER, ethernet: OTHER })),
  ask('an answer about a group', here('ff02::1', { from: STRANGER, ethernet: OTHER })),
  ask('which is not heard either', echo6(20, { from: STRANGER, ethernet: OTHER })),
  ask('from nobody', echo6(20, { from: '::' })),
];

const option = (code: number, data: Uint8Array): Uint8Array =>
  joined(Uint8Array.of(code >> 8, code & 0xff, data.length >> 8, data.length & 0xff), data);

const information = (...options: readonly Uint8Array[]): Uint8Array =>
  joined(Uint8Array.of(11, 0xab, 0xcd, 0xef), ...options);

const toServers = (message: Uint8Array, packet = {}): Uint8Array =>
  udp6(547, message, { to: DHCP_SERVERS, ...packet }, 546);

const ID = option(1, filler(14));
const wants = (...codes: readonly number[]): Uint8Array =>
  option(6, Uint8Array.from(codes.flatMap((code) => [code >> 8, code & 0xff])));

const DHCPV6: readonly Asked[] = [
  ask('who asks for a router', router()),
  ask('who asks for a resolver', toServers(information(ID, wants(23)))),
  ask('and what to boot', toServers(information(ID, wants(59, 23, 24)))),
  ask('of the gateway', toServers(information(ID, wants(23)), { to: 'fec0::2' })),
  ask('of the gateway on the link', toServers(information(ID, wants(23)), { to: 'fe80::2' }), 60),
  ask('without a name', toServers(information(wants(23)))),
  ask('for nothing', toServers(information(ID))),
  ask('nothing at all', toServers(information())),
  ask('by half a list', toServers(information(ID, option(6, Uint8Array.of(0, 23, 0))))),
  ask('with an address', toServers(information(ID, option(5, filler(24)), wants(23)))),
  ask('by a long name', toServers(information(option(1, filler(256)), wants(23)))),
  ask('by a longer name', toServers(information(option(1, filler(257)), wants(23)))),
  ask('cut', toServers(information(ID, wants(23)).slice(0, -1))),
  ask('with a rest', toServers(information(ID, wants(23), Uint8Array.of(0, 9, 0)))),
  ask('who wants an address', toServers(joined(Uint8Array.of(1, 1, 2, 3), ID))),
  ask('a short message', toServers(Uint8Array.of(11, 1, 2))),
  ask('whose checksum is wrong', changed(toServers(information(ID, wants(23))), [60, 0x55], [61, 0x66])),
  ask('without a checksum', changed(toServers(information(ID, wants(23))), [60, 0], [61, 0])),
  ask('a datagram to the resolver', udp6(99, filler(20), { to: 'fec0::3' }), 60),
  ask('long', udp6(99, filler(1300), { to: 'fec0::3' }), 60),
  ask('to nobody far away', udp6(99, filler(20), { to: '2001:db8::1' }), 60),
  ask('to a port nobody has', udp6(99, filler(20)), 60),
  ask('whose hops are nearly up', udp6(99, filler(20), { to: 'fec0::3', hopLimit: 1 })),
  ask('which says it is longer', changed(udp6(99, filler(20), { to: 'fec0::3' }), [59, 0x60])),
  ask('a short datagram', ipv6({ protocol: 17, payload: filler(7) })),
];

const PLACED: readonly Asked[] = [
  ask('who asks for a router', router()),
  ...['2001:db8:7::2', '2001:db8:7::99', '2001:db8:7:1::99', '2001:db8:7::3', 'fe80::99'].map((address) =>
    ask(`who is ${address}`, who(address)),
  ),
  ask('an echo', echo6(20, { to: '2001:db8:7::99' })),
  ask('who asks for a resolver', toServers(information(ID, wants(59, 23)))),
];

/** IPv6. */
export const IPV6_SCENES: readonly Question[] = [
  { name: 'neighbors', options: [], asked: DISCOVERY },
  { name: 'echoes over IPv6', options: [], asked: ECHOES },
  { name: 'DHCPv6', options: [], asked: DHCPV6 },
  { name: 'DHCPv6, restricted', options: [['restrict', 'on']], asked: DHCPV6 },
  { name: 'DHCPv6 with a file', options: [['bootfile', 'boot/kernel']], asked: DHCPV6.slice(0, 4) },
  {
    name: 'another prefix',
    options: [
      ['ipv6-prefix', '2001:db8:7::'],
      ['ipv6-prefixlen', '48'],
      ['ipv6-host', '2001:db8:7::99'],
      ['ipv6-dns', '2001:db8:7::53'],
    ],
    asked: PLACED,
  },
  {
    name: 'an odd prefix',
    options: [
      ['ipv6-prefix', '2001:db8:7::'],
      ['ipv6-prefixlen', '45'],
    ],
    asked: PLACED,
  },
  { name: 'no IPv6', options: [['ipv6', 'off']], asked: [...DISCOVERY.slice(0, 4), ...ECHOES.slice(1, 3)] },
];
