import { joined } from '../../../src/packets/layout.ts';
import {
  arp,
  changed,
  echo,
  echoMessage,
  filler,
  fragments,
  GUEST,
  icmp,
  ipv4,
  OTHER,
  soundIpv4,
  udp,
} from './frames.ts';
import { type Asked, ask, each } from './question.ts';

export const ARP: readonly Asked[] = [
  ask('who is the gateway', arp('10.0.2.2')),
  ask('who is the resolver', arp('10.0.2.3')),
  ask('who is nobody', arp('10.0.2.9')),
  ask('who is the guest itself', arp('10.0.2.15')),
  ask('who is far away', arp('8.8.8.8')),
  ask('a probe of the gateway', arp('10.0.2.2', { sender: '0.0.0.0' })),
  ask('a probe of its own', arp('10.0.2.15', { sender: '0.0.0.0' })),
  ask('an announcement', arp('10.0.2.77', { sender: '10.0.2.77' })),
  ask('a question to the gateway alone', arp('10.0.2.2', { to: 0x5255_0a00_0202 })),
  ask('an answer nobody asked for', arp('10.0.2.2', { operation: 2, sender: '10.0.2.31' })),
  ask('an operation of RARP', arp('10.0.2.2', { operation: 3 })),
  ask('of another kind of hardware', changed(arp('10.0.2.2'), [15, 6])),
  ask('about another protocol', changed(arp('10.0.2.2'), [16, 0x86])),
  ask('with longer addresses', changed(arp('10.0.2.2'), [18, 8], [19, 16])),
  ask('from another than it says', changed(arp('10.0.2.2'), [11, 0x99])),
  ask('padded', joined(arp('10.0.2.2'), new Uint8Array(18))),
  ask('of the type of VLANs', changed(arp('10.0.2.2'), [12, 0x81], [13, 0])),
  ask('of an unknown type', changed(arp('10.0.2.2'), [12, 0x12], [13, 0x34])),
  ...[1, 13, 14, 20, 41].map((length) => ask(`cut to ${length}`, arp('10.0.2.2').slice(0, length))),
];

const big = echoMessage(3000);
const [first, second, third] = fragments(big, 1480) as [Uint8Array, Uint8Array, Uint8Array];
const routed = { options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0) };

export const ICMP: readonly Asked[] = [
  ask('who is the gateway', arp('10.0.2.2')),
  ...[0, 1, 56, 1472].map((length) => ask(`an echo of ${length}`, echo(length))),
  ask('an echo of the resolver', echo(56, { to: '10.0.2.3' })),
  ask('whose checksum is wrong', changed(echo(56), [36, 0x55])),
  ask('whose header is wrong', changed(echo(56), [24, 0x55])),
  ask('of version 5', changed(echo(56), [14, 0x55])),
  ask('of a short header', changed(echo(56), [14, 0x44])),
  ask('of a long header', changed(echo(56), [14, 0x4f])),
  ask('which says it is longer', soundIpv4(changed(echo(56), [17, 200]))),
  ask('which says it is shorter', soundIpv4(changed(echo(56), [17, 60]))),
  ask('which says it is too short', soundIpv4(changed(echo(56), [17, 10]))),
  ask('padded', joined(echo(8), filler(12))),
  ...[15, 30, 34, 40, 60].map((length) => ask(`cut to ${length}`, echo(56).slice(0, length))),
  ask('with options', echo(56, routed)),
  ask('which is not to be cut', echo(56, { dontFragment: true })),
  ask('of a kind of service', echo(56, { tos: 0xb9 })),
  ask('with a code', echo(56, {}, 9)),
  ask('whose time is up', echo(56, { ttl: 0 })),
  ask('whose time is up, with options', echo(56, { ttl: 0, ...routed })),
  ask('long, whose time is up', echo(1200, { ttl: 0, dontFragment: true })),
  ask('whose time is nearly up', echo(56, { ttl: 1 })),
  ask('to nobody here', echo(56, { to: '10.0.2.9' }), 60),
  ask('to nobody far away', echo(56, { to: '198.51.100.7' }), 60),
  ask('to all', echo(56, { to: '255.255.255.255' }), 60),
  ask('from nobody', echo(56, { from: '0.0.0.0' })),
  ask('from all', echo(56, { from: '255.255.255.255' })),
  ask('from a group', echo(56, { from: '224.0.0.1' })),
  ask('an echo before', arp('10.0.2.91', { operation: 2, sender: '224.0.0.1' })),
  ...[0, 3, 4, 5, 11, 12, 13, 15, 17, 18, 30].map((type) => ask(`a message ${type}`, icmp(type))),
  ...[0, 3, 5, 13, 17, 30].map((type) => ask(`a message ${type} whose time is up`, icmp(type, { ttl: 0 }))),
  ask('of no protocol', ipv4({ protocol: 200, payload: filler(20) })),
  ask('of no protocol, whose time is up', ipv4({ protocol: 200, ttl: 0, payload: filler(20) })),
];

const small = { id: 0x7000, ...routed };

/** Datagrams in parts, each kind by itself: at some libslirp 4.7.0 ends QEMU. */
export const FRAGMENTS: readonly (readonly Asked[])[] = [
  each('three parts', [first, second, third]),
  each('backwards', fragments(big, 1480, { id: 2 }).reverse()),
  each('mixed', [third, first, second]),
  each('twice', [first, first, second, third]),
  each('eight bytes each', fragments(echoMessage(64), 8, { id: 3 })),
  [
    ...each('the last is lost', fragments(echoMessage(64), 24, { id: 4 }).slice(0, -1)),
    ask('and comes from another', fragments(echoMessage(64), 24, { id: 4, from: '10.0.2.16' }).at(-1)!),
    ask('and comes', fragments(echoMessage(64), 24, { id: 4 }).at(-1)!),
  ],
  each('overlapping', [
    ipv4({ id: 5, protocol: 1, moreFragments: true, payload: echoMessage(64).subarray(0, 48) }),
    ipv4({ id: 5, protocol: 1, fragmentOffset: 24, payload: echoMessage(64).subarray(24) }),
  ]),
  each('overlapping backwards', [
    ipv4({ id: 6, protocol: 1, fragmentOffset: 24, payload: echoMessage(64).subarray(24) }),
    ipv4({ id: 6, protocol: 1, moreFragments: true, payload: echoMessage(64).subarray(0, 48) }),
  ]),
  each('covered', [
    ipv4({ id: 7, protocol: 1, fragmentOffset: 24, moreFragments: true, payload: echoMessage(64).subarray(24, 32) }),
    ipv4({ id: 7, protocol: 1, fragmentOffset: 16, moreFragments: true, payload: echoMessage(64).subarray(16, 48) }),
    ipv4({ id: 7, protocol: 1, fragmentOffset: 24, moreFragments: true, payload: filler(8) }),
    ipv4({ id: 7, protocol: 1, fragmentOffset: 48, payload: echoMessage(64).subarray(48) }),
    ipv4({ id: 7, protocol: 1, moreFragments: true, payload: echoMessage(64).subarray(0, 16) }),
  ]),
  each('with options', fragments(echoMessage(100), 56, small)),
  each('of a kind of service', fragments(echoMessage(100), 56, { id: 8, tos: 0x13, dontFragment: true })),
  each('whose time is up', fragments(echoMessage(100), 56, { id: 9, ttl: 0 })),
  each('long', fragments(echoMessage(9000), 1480, { id: 10 })),
  each('of a datagram', fragmentsOf(udp(99, filler(100), { id: 11, to: '10.0.2.3' }), 64)),
  each('of a datagram with options', fragmentsOf(udp(99, filler(100), { to: '10.0.2.3' }), 64, routed.options)),
  each('of a datagram whose time is nearly up', fragmentsOf(udp(9, filler(100), { to: '10.0.2.3' }), 64, undefined, 1)),
];

/** A packet's payload again, in parts. */
function fragmentsOf(frame: Uint8Array, size: number, options = new Uint8Array(0), ttl = 64): Uint8Array[] {
  const id = 0x4000 + options.length + ttl;
  return fragments(frame.subarray(34), size, { protocol: 17, id, to: '10.0.2.3', options, ttl });
}

const datagram = udp(9, filler(40));

export const UDP: readonly Asked[] = [
  ask('who is the gateway', arp('10.0.2.2')),
  ask('to a port nobody has', datagram, 60),
  ask('of a kind of service', udp(9, filler(40), { tos: 0x1c, dontFragment: true }), 60),
  ask('to a port of the resolver', udp(99, filler(40), { to: '10.0.2.3' }), 60),
  ask('the same with options', udp(99, filler(40), { to: '10.0.2.3', ...routed }), 60),
  ask('long, to a port of the resolver', udp(99, filler(1000), { to: '10.0.2.3' }), 60),
  ask('to nobody far away', udp(99, filler(40), { to: '198.51.100.7' }), 60),
  ask('to nobody here', udp(99, filler(40), { to: '10.0.2.9' }), 60),
  ask('to the loopback network', udp(99, filler(40), { to: '127.51.100.7' }), 60),
  ask('whose checksum is wrong', changed(udp(99, filler(40), { to: '10.0.2.3' }), [40, 0x55])),
  ask('without a checksum', changed(udp(99, filler(40), { to: '10.0.2.3' }), [40, 0], [41, 0]), 60),
  ask('which says it is longer', changed(udp(99, filler(40), { to: '10.0.2.3' }), [39, 90])),
  ask('which says it is shorter', changed(udp(99, filler(40), { to: '10.0.2.3' }), [39, 20], [40, 0], [41, 0]), 60),
  ask('whose time is up', udp(99, filler(40), { to: '10.0.2.3', ttl: 0 })),
  ask('whose time is nearly up', udp(99, filler(40), { to: '10.0.2.3', ttl: 1 })),
  ask('whose time is nearly up, far away', udp(99, filler(40), { to: '198.51.100.7', ttl: 1 })),
  ask('whose time is nearly up, padded', joined(udp(99, filler(4), { to: '10.0.2.3', ttl: 1 }), filler(14))),
  ...[34, 36, 42].map((length) => ask(`cut to ${length}`, datagram.slice(0, length))),
  ask('too short for its header', soundIpv4(changed(datagram.slice(0, 40), [17, 26]))),
];

export const UNKNOWN: readonly Asked[] = [
  ask('an echo of a stranger', echo(56, { from: '10.0.2.40', ethernet: OTHER })),
  ask('and another', echo(8, { from: '10.0.2.40', ethernet: OTHER })),
  ask('who says where it is', arp('10.0.2.2', { operation: 2, sender: '10.0.2.40', from: OTHER }), 60),
  ask('and asks again', echo(8, { from: '10.0.2.40', ethernet: OTHER })),
  ask('an echo of another', echo(56, { from: '10.0.2.41', ethernet: OTHER }), 1300),
  ask('who says it too late', arp('10.0.2.2', { operation: 2, sender: '10.0.2.41', from: OTHER }), 60),
  ask('who is elsewhere now', arp('10.0.2.2', { operation: 2, sender: '10.0.2.40', from: GUEST })),
  ask('and is answered there', echo(8, { from: '10.0.2.40', ethernet: OTHER })),
  ...Array.from({ length: 17 }, (_, at) => ask(`neighbor ${at}`, announce(at))),
  ask('and is forgotten', echo(8, { from: '10.0.2.40', ethernet: OTHER })),
];

function announce(at: number): Uint8Array {
  return arp('10.0.2.2', { operation: 2, sender: `10.0.2.${100 + at}`, from: OTHER + at });
}
