/** Frames of what no capture of a guest has, built by hand. */
import { buildEthernet, ETHERTYPES } from '../../../src/packets/ethernet.ts';
import { buildIpv4, IP_PROTOCOLS, WHOLE_IPV4 } from '../../../src/packets/ipv4.ts';
import { joined, NOTHING } from '../../../src/packets/layout.ts';
import { buildTcp, TCP_FLAGS } from '../../../src/packets/tcp.ts';
import { buildUdp } from '../../../src/packets/udp.ts';

const [GUEST, PEER] = [0x5254_0012_3456, 0x5255_0a00_0202];
const [FROM, TO] = [0x0a00_020f, 0x0a00_0203];

export const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
const text = (characters: string): Uint8Array => new TextEncoder().encode(characters);

const frame = (type: number, payload: Uint8Array): Uint8Array =>
  buildEthernet({ destination: PEER, source: GUEST, type, payload });

const packet = (protocol: number, payload: Uint8Array): Uint8Array =>
  buildIpv4({ ...WHOLE_IPV4, id: 7, ttl: 64, protocol, source: FROM, destination: TO, payload });

const ipv4 = (protocol: number, payload: Uint8Array): Uint8Array => frame(ETHERTYPES.IPV4, packet(protocol, payload));

const ends = (protocol: number) => ({ source: FROM, destination: TO, protocol });

const udp = (sourcePort: number, destinationPort: number, payload: Uint8Array): Uint8Array =>
  buildUdp({ sourcePort, destinationPort, payload }, ends(IP_PROTOCOLS.UDP));

const tcp = (
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
  options: Uint8Array = NOTHING,
): Uint8Array =>
  buildTcp(
    {
      ...{ sourcePort, destinationPort, sequence: 4_000_000_000, acknowledgment: 5, flags: TCP_FLAGS.ACK },
      ...{ window: 512, urgent: 0, options, payload },
    },
    ends(IP_PROTOCOLS.TCP),
  );

const overUdp = (from: number, to: number, payload: Uint8Array) => ipv4(IP_PROTOCOLS.UDP, udp(from, to, payload));
const overTcp = (from: number, to: number, payload: Uint8Array, options: Uint8Array = NOTHING) =>
  ipv4(IP_PROTOCOLS.TCP, tcp(from, to, payload, options));

/** A question, and what it is answered: A, AAAA behind a CNAME, PTR; names with pointers into the message. */
const QUESTION = bytes('1234 0100 0001 0000 0000 0000 03777777 07657861 6d706c65 036f7267 00 0001 0001');
const ANSWER = bytes(`1234 8180 0001 0003 0000 0000 03777777 07657861 6d706c65 036f7267 00 001c 0001
  c00c 0005 0001 00000e10 0008 0572656c6179 c010
  c02d 001c 0001 0000003c 0010 20010db8 00000000 00000000 00000001
  c02d 0001 0001 0000003c 0004 5db8d822`);
const POINTER = bytes(`0007 8400 0001 0001 0000 0000 0132 0132 0130 023130 07696e2d61646472 0461727061 00 000c 0001
  c00c 000c 0001 00000000 0009 0767617465776179 00`);
/** Behind a long text, a name, and a pointer to that: 12 + 17 + 4 and 12 + 1040 bytes lie before it. */
const FAR = joined(
  bytes('0008 8180 0001 0003 0000 0000 03777777 07657861 6d706c65 036f7267 00 0001 0001'),
  bytes('c00c 0010 0001 00000001 0410'),
  new Uint8Array(1040),
  bytes('03666172 00 0001 0001 00000001 0004 01020304'),
  bytes('c43d 0001 0001 00000002 0004 01020305'),
);
const NOT_FOUND = bytes('0001 8183 0001 0000 0000 0000 0378797a 00 0001 0001');

const RELAYED = joined(
  bytes(`01 01 06 01 deadbeef 000a 8000 0a000005 0a000006 0a000007 0a000008 525400123456 ${'00'.repeat(10)}`),
  new Uint8Array(64),
  text('pxelinux.0'),
  new Uint8Array(118),
  bytes('63825363 350103 3204 0a00020f 3604 0a000202 0c05'),
  text('guest'),
  bytes('0f03'),
  text('lan'),
  bytes('3c09'),
  text('PXEClient'),
  bytes('0304 0a000202 0608 0a000203 08080808 ff'),
);

const AUTHORITY = (code: string) => bytes(`0303 0000 ${code}`);

const IPV6 = '6012 3456 0020 2c 40 fe80000000000000505400fffe123456 fec00000000000000000000000000002';

/** Each is judged by tshark. */
export const OTHERS: Readonly<Record<string, Uint8Array>> = {
  'a question of DNS': overUdp(1025, 53, QUESTION),
  'an answer with another name': overUdp(53, 1025, ANSWER),
  'an answer with a pointer': overUdp(53, 1025, POINTER),
  'an answer with a pointer to what is far behind it': overUdp(53, 1025, FAR),
  'a name that is not there': overUdp(53, 1025, NOT_FOUND),
  'a question over TCP': overTcp(1026, 53, joined(Uint8Array.of(0, QUESTION.length), QUESTION)),
  'DHCP with a relay and a boot file': overUdp(68, 67, RELAYED),
  'what time it is': overUdp(1030, 123, joined(bytes('23 00 06 ec'), new Uint8Array(44))),
  'what time it was': overUdp(123, 1031, joined(bytes('24 01 06 ec'), new Uint8Array(44).fill(1))),
  'DHCPv6 that asks for the names alone': frame(
    ETHERTYPES.IPV6,
    joined(bytes(IPV6.replace('0020 2c 40', '0012 11 40')), udp(546, 547, bytes('0b123456 0008 0002 0000'))),
  ),
  'a file that is asked for': overUdp(2000, 69, joined(bytes('0001'), text('pxelinux.0\0octet\0blksize\x001432\0'))),
  'a file that is sent': overUdp(2004, 69, joined(bytes('0002'), text('log.txt\0netascii\0'))),
  'a block': overUdp(69, 2001, joined(bytes('0003 0001'), text('hello'))),
  'its receipt': overUdp(2002, 69, bytes('0004 0001')),
  'an error': overUdp(69, 2003, joined(bytes('0005 0001'), text('File not found\0'))),
  'what is asked for over HTTP': overTcp(40_000, 80, text('GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n')),
  'what is answered': overTcp(80, 40_000, text('HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n')),
  'every option of TCP': overTcp(1, 2, NOTHING, bytes('020405b4 0402 080a 00000001 00000002 01 030307 00')),
  'a VLAN': frame(ETHERTYPES.VLAN, joined(bytes('6064 0800'), packet(IP_PROTOCOLS.ICMP, bytes('0800 f7ff 0000 0000')))),
  'nobody at a port': ipv4(
    IP_PROTOCOLS.ICMP,
    joined(AUTHORITY('00000000'), packet(IP_PROTOCOLS.UDP, udp(9, 10, NOTHING))),
  ),
  'a first fragment of IPv6': frame(
    ETHERTYPES.IPV6,
    joined(bytes(IPV6), bytes('11 00 0001 0000002a'), udp(7, 8, new Uint8Array(16))),
  ),
  'a later one': frame(ETHERTYPES.IPV6, joined(bytes(IPV6), bytes('11 00 0018 0000002a'), new Uint8Array(24))),
  'a neighbour that is asked for': frame(
    ETHERTYPES.IPV6,
    joined(
      bytes(IPV6.replace('2c 40', '3a ff')),
      bytes('8800 0000 e0000000 fec00000000000000000000000000002 0201 525600000002'),
    ),
  ),
  'a router that says how wide its link is': frame(
    ETHERTYPES.IPV6,
    joined(
      bytes(IPV6.replace('0020 2c 40', '0018 3a ff')),
      bytes('8600 0000 40000708 00000000 00000000 0501 0000 000005dc'),
    ),
  ),
  'an echo of IPv6': frame(
    ETHERTYPES.IPV6,
    joined(bytes(IPV6.replace('0020 2c 40', '0008 3a ff')), bytes('8000 0000 0101 0002')),
  ),
  'a link that is too narrow': frame(
    ETHERTYPES.IPV6,
    joined(
      bytes(IPV6.replace('0020 2c 40', '0038 3a ff')),
      bytes('0200 0000 00000500'),
      bytes(IPV6.replace('0020 2c', '0008 11')),
      udp(7, 8, NOTHING),
    ),
  ),
  'IEEE 802.3': bytes('0180c2000000 525400123456 0026 424203 0000 00000000'),
};
