import { describe, expect, test } from 'vitest';
import { buildArp, parseArp } from '../../src/packets/arp.ts';
import { internetChecksum, transportChecksum } from '../../src/packets/checksum.ts';
import { buildEthernet, ETHERTYPES, parseEthernet } from '../../src/packets/ethernet.ts';
import { buildIcmp, parseIcmp } from '../../src/packets/icmp.ts';
import { buildIcmpv6, parseIcmpv6 } from '../../src/packets/icmpv6.ts';
import { buildIpv4, IP_PROTOCOLS, parseIpv4 } from '../../src/packets/ipv4.ts';
import { buildIpv6, parseIpv6 } from '../../src/packets/ipv6.ts';
import { joined } from '../../src/packets/layout.ts';
import { buildTcp, parseTcp } from '../../src/packets/tcp.ts';
import { buildUdp, parseUdp } from '../../src/packets/udp.ts';
import { captured } from './pcap.ts';

const { ICMP, UDP, ICMPV6 } = IP_PROTOCOLS;

/** What is in a packet of IPv4, read and built anew. */
function ipv4Again(bytes: Uint8Array, seen: Set<string>): Uint8Array {
  const packet = parseIpv4(bytes)!;
  expect(internetChecksum(packet.header)).toBe(0);
  const { payload, protocol } = packet;
  const isFragment = packet.moreFragments || packet.fragmentOffset > 0;
  seen.add(isFragment ? 'fragment' : `IPv4 ${protocol}`);
  if (isFragment) return buildIpv4(packet);
  if (protocol === ICMP) return buildIpv4({ ...packet, payload: buildIcmp(parseIcmp(payload)!) });
  if (protocol === UDP) return buildIpv4({ ...packet, payload: buildUdp(parseUdp(payload)!, packet) });
  const segment = parseTcp(payload)!;
  // The guest leaves the checksum to the NIC, the capture is before that.
  const isSound = transportChecksum(packet, segment.bytes) === 0;
  return buildIpv4({ ...packet, payload: isSound ? buildTcp(segment, packet) : payload });
}

function ipv6Again(bytes: Uint8Array, seen: Set<string>): Uint8Array {
  const packet = parseIpv6(bytes)!;
  seen.add(`IPv6 ${packet.protocol}`);
  if (packet.protocol !== ICMPV6) return buildIpv6(packet);
  const { source, destination } = packet;
  return buildIpv6({ ...packet, payload: buildIcmpv6(parseIcmpv6(packet.payload)!, source, destination) });
}

function again(type: number, payload: Uint8Array, seen: Set<string>): Uint8Array {
  if (type === ETHERTYPES.ARP) return buildArp(parseArp(payload)!);
  return type === ETHERTYPES.IPV4 ? ipv4Again(payload, seen) : ipv6Again(payload, seen);
}

function builtAgain(frame: Uint8Array, seen: Set<string>): Uint8Array {
  const { type, payload, ...ends } = parseEthernet(frame)!;
  seen.add(`type ${type}`);
  const built = again(type, payload, seen);
  return joined(buildEthernet({ ...ends, type, payload: built }), payload.subarray(built.length));
}

describe.each(['virtio-net', 'e1000'] as const)('captured with %s', (nic) => {
  test('every frame is read, and built again it is the same', () => {
    const seen = new Set<string>();
    for (const frame of captured(nic)) expect(builtAgain(frame, seen)).toEqual(frame);
    expect([...seen].sort()).toEqual([
      ...['IPv4 1', 'IPv4 17', 'IPv4 6', 'IPv6 0', 'IPv6 58', 'fragment'],
      ...['type 2048', 'type 2054', 'type 34525'],
    ]);
  });

  test('a packet cut anywhere is refused', () => {
    for (const frame of captured(nic)) {
      const { payload, type } = parseEthernet(frame)!;
      const ends = type === ETHERTYPES.ARP ? 28 : again(type, payload, new Set()).length;
      for (let length = 0; length < payload.length; length++) {
        const cut = payload.subarray(0, length);
        for (const parse of [parseUdp, parseTcp, parseIcmp, parseIcmpv6]) parse(cut);
        const read = [parseArp(cut)?.isEthernetIpv4 || undefined, parseIpv4(cut), parseIpv6(cut)];
        expect(read.some((each) => each !== undefined)).toBe(length >= ends);
      }
    }
  });
});
