import { type Ends, internetChecksum, transportChecksum } from '../../../src/packets/checksum.ts';
import { ETHERTYPES, parseEthernet } from '../../../src/packets/ethernet.ts';
import { IP_PROTOCOLS, parseIpv4 } from '../../../src/packets/ipv4.ts';
import { parseIpv6 } from '../../../src/packets/ipv6.ts';
import { putNumber } from '../../../src/packets/layout.ts';
import { soundIpv4 } from './frames.ts';
import { type Asked, ask, type Question } from './question.ts';

const NC_SI = 0x88f8;

const SCENES = 10;
const STEPS = 250;

/** Numbers that look drawn and never change: mulberry32. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Connections are not looked at here, nor what controls a management controller, nor parts: they end QEMU. */
function isElsewhere(frame: Uint8Array): boolean {
  const { type, payload } = parseEthernet(frame) ?? { type: 0, payload: frame };
  if (type === ETHERTYPES.IPV6) return payload[6] === IP_PROTOCOLS.TCP;
  const isPart = ((payload[6] ?? 0) & 0xbf) !== 0 || (payload[7] ?? 0) !== 0;
  return type === NC_SI || (type === ETHERTYPES.IPV4 && (isPart || payload[9] === IP_PROTOCOLS.TCP));
}

/** With the checksum of what is in a packet of IPv4 or IPv6 made anew, where there is one. */
function soundWithin(frame: Uint8Array): Uint8Array {
  const { type, payload } = parseEthernet(frame) ?? { type: 0, payload: frame };
  const packet =
    type === ETHERTYPES.IPV6 ? parseIpv6(payload) : type === ETHERTYPES.IPV4 ? parseIpv4(payload) : undefined;
  const at = packet === undefined ? undefined : CHECKSUM_AT[packet.protocol];
  if (packet === undefined || at === undefined || packet.payload.length < 8) return frame;
  const inside = packet.payload;
  putNumber(inside, at, 2, 0);
  const isIcmp = packet.protocol === IP_PROTOCOLS.ICMP;
  putNumber(inside, at, 2, isIcmp ? internetChecksum(inside) : transportChecksum(packet as Ends, inside));
  return frame;
}

const CHECKSUM_AT: Readonly<Record<number, number>> = {
  [IP_PROTOCOLS.ICMP]: 2,
  [IP_PROTOCOLS.ICMPV6]: 2,
  [IP_PROTOCOLS.UDP]: 6,
};

/** How far into a frame bytes are changed. */
const DEPTH = 96;

function changedBy(draw: (below: number) => number, frame: Uint8Array): Uint8Array {
  const copy = frame.slice();
  const times = 1 + draw(3);
  for (let time = 0; time < times && copy.length > 0; time++) copy[draw(Math.min(copy.length, DEPTH))] = draw(256);
  const sound = draw(3) > 0 ? soundWithin(copy) : copy;
  // Else next to all would end at the header's checksum.
  const isIpv4 = sound.length >= 34 && sound[12] === 8 && sound[13] === 0 && sound[14] === 0x45;
  return isIpv4 && draw(4) > 0 ? soundIpv4(sound) : sound;
}

/** Sound frames with bytes changed. */
export const mutated = (sound: readonly Asked[]): readonly Question[] =>
  Array.from({ length: SCENES }, (_, scene) => {
    const draw = chance(scene + 1);
    const frames = Array.from({ length: STEPS }, () => sound[draw(sound.length)]!)
      .map(({ note, frame }) => ask(`changed: ${note}`, changedBy(draw, frame)))
      .filter(({ frame }) => frame.length > 0 && !isElsewhere(frame));
    return { name: `changed ${scene}`, options: [['tftp', '']], asked: frames };
  });
