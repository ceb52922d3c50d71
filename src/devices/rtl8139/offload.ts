/** Checksums and segments of what is sent. QEMU 7.2, hw/net/rtl8139.c: rtl8139_cplus_transmit_one. */
import { internetChecksum } from '../../packets/checksum.ts';
import { SEND } from './descriptors.ts';

const ETHERNET = 14;
const TYPE = 12;
const IPV4_TYPE = 0x0800;
const LEAST_IP = 20;
const LEAST_TCP = 20;
/** The most of a header of IPv4 or TCP. */
const MOST_HEADER = 60;

/** What of a packet says how it is cut. */
export const HEADERS = ETHERNET + 2 * MOST_HEADER;

/** Behind the last byte of a packet that a checksum can be put: what lies there is not sent. */
const MARGIN = 64;

const TCP = 6;
const UDP = 17;

/** A packet of IPv4 whose lengths go together. */
interface Ipv4 {
  /** From its header on. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly header: number;
  /** Bytes behind the header. */
  readonly data: number;
  readonly protocol: number;
}

function ipv4In(frame: Uint8Array, size: number): Ipv4 | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset);
  if (size < ETHERNET + LEAST_IP || view.getUint16(TYPE) !== IPV4_TYPE) return undefined;
  const bytes = frame.subarray(ETHERNET);
  const header = (bytes[0]! & 0xf) * 4;
  const total = view.getUint16(ETHERNET + 2);
  if (bytes[0]! >> 4 !== 4 || header < LEAST_IP || header > size - ETHERNET) return undefined;
  if (total < header || total > size - ETHERNET) return undefined;
  const ip = new DataView(bytes.buffer, bytes.byteOffset);
  return { bytes, view: ip, header, data: total - header, protocol: bytes[9]! };
}

type Send = (frame: Uint8Array) => void;

/** What becomes of a packet, as the first word of its last descriptor wants it: one frame, or several. */
export function offload(packet: Uint8Array, word0: number, send: Send): void {
  const room = new Uint8Array(packet.length + MARGIN);
  room.set(packet);
  const ip = ipv4In(room, packet.length);
  const isLarge = (word0 & SEND.large) !== 0;
  if (ip !== undefined && isLarge && ip.protocol === TCP) {
    if (cut(room, ip, (word0 / SEND.segment) & SEND.mostSegment, send)) return;
  } else if (ip !== undefined && !isLarge) sum(ip, word0);
  send(room.subarray(0, packet.length));
}

/** Where the checksum of the header of IPv4 is, and its length and number. */
const IP = { length: 2, number: 4, sum: 10, ends: 12 } as const;

function sumHeader({ bytes, view, header }: Ipv4): void {
  view.setUint16(IP.sum, 0);
  view.setUint16(IP.sum, internetChecksum(bytes.subarray(0, header)));
}

/** Where checksums are in headers of TCP and UDP. */
const SUM_AT = { [TCP]: 16, [UDP]: 6 } as const;

/** Bytes of the pseudo header, which QEMU writes before the other for as long as it takes. */
const PSEUDO = 12;

/** The checksum over so many bytes behind the header of IPv4. In QEMU zero stays zero, with UDP, too. */
function sumTransport({ bytes, view, header, protocol }: Ipv4, length: number): void {
  const at = header + SUM_AT[protocol as keyof typeof SUM_AT];
  view.setUint16(at, 0);
  const all = new Uint8Array(PSEUDO + length);
  all.set(bytes.subarray(IP.ends, IP.ends + 8));
  all[9] = protocol;
  new DataView(all.buffer).setUint16(10, length);
  all.set(bytes.subarray(header, header + length), PSEUDO);
  view.setUint16(at, internetChecksum(all));
}

function sum(ip: Ipv4, word0: number): void {
  if ((word0 & SEND.ipSum) !== 0) sumHeader(ip);
  const isWanted =
    ((word0 & SEND.tcpSum) !== 0 && ip.protocol === TCP) || ((word0 & SEND.udpSum) !== 0 && ip.protocol === UDP);
  if (isWanted) sumTransport(ip, ip.data);
}

/** Of a header of TCP: its number, its own length, its flags. */
const AT_TCP = { number: 4, offset: 12, flags: 13 } as const;

/** PSH and FIN. In QEMU they are gone from the last segment, too, where there are several. */
const LAST_ALONE = 0x9;

/** A large packet in segments. False: it cannot be cut, and goes as it is. */
function cut(room: Uint8Array, ip: Ipv4, most: number, send: Send): boolean {
  const { bytes, view, header, data } = ip;
  if (data < LEAST_TCP || most === 0) return false;
  const own = (bytes[header + AT_TCP.offset]! >> 4) * 4;
  if (own < LEAST_TCP || own > data) return false;
  const number = view.getUint16(IP.number);
  const begin = header + own;
  const flags = header + AT_TCP.flags;
  for (let at = 0; at < data - own; at += most) {
    const length = Math.min(most, data - own - at);
    if (at > 0) bytes.copyWithin(begin, begin + at, begin + at + length);
    if (at + most < data - own) view.setUint8(flags, view.getUint8(flags) & ~LAST_ALONE);
    sumTransport(ip, own + length);
    view.setUint16(IP.length, begin + length);
    view.setUint16(IP.number, number + at / most);
    sumHeader(ip);
    send(room.slice(0, ETHERNET + begin + length));
    view.setUint32(header + AT_TCP.number, view.getUint32(header + AT_TCP.number) + length);
  }
  return true;
}
