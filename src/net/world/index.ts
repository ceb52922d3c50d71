import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import type { Ends } from '../../packets/checksum.ts';
import { buildUdp, type ParsedUdp } from '../../packets/udp.ts';
import { characterAt } from '../tcp/buffer.ts';
import type { Addressed, UserNet } from '../user/part.ts';
import { answerFrom } from './link.ts';
import { bytesOf } from './say.ts';
import { daytime, ntpTime } from './time.ts';
import { hostAt, type Service, serviceOf } from './world.ts';

export { answerFrom } from './link.ts';
export type { NameRecord, World } from './world.ts';

/** A datagram to whoever has its destination, which is not a service of user networking itself. */
export function receiveDatagram(net: UserNet, ip: Addressed, datagram: ParsedUdp): void {
  const service = serviceOf(net.setup.world, ip.destination, datagram.destinationPort, 'udp');
  if (service === undefined) return;
  const answer = answerTo(net, service, datagram.payload);
  if (answer === undefined) return;
  const ends = { source: ip.destination, destination: ip.source, protocol: IP_PROTOCOLS.UDP } as Ends;
  const ports = { sourcePort: datagram.destinationPort, destinationPort: datagram.sourcePort };
  const payload = buildUdp({ ...ports, payload: answer }, ends);
  answerFrom(net, ip, { ...ends, payload });
}

/** One datagram of RFC 864. */
const CHARACTERS = 74;

/** What comes back; undefined: nothing. */
function answerTo(net: UserNet, { kind }: Service, payload: Uint8Array): Uint8Array | undefined {
  switch (kind) {
    case 'echo':
      return payload;
    case 'chargen':
      return Uint8Array.from({ length: CHARACTERS }, (_, at) => characterAt(at));
    case 'daytime':
      return bytesOf(daytime(net));
    case 'ntp':
      return ntpAnswer(net, payload);
    default:
      return undefined;
  }
}

const NTP_BYTES = 48;
const NTP_CLIENT = 3;
const NTP_SERVER = 4;

/** RFC 5905, 7.3: a server of stratum 1, whose clock is the machine's virtual one. */
function ntpAnswer(net: UserNet, asked: Uint8Array): Uint8Array | undefined {
  const [first = 0] = asked;
  if (asked.length < NTP_BYTES || (first & 7) !== NTP_CLIENT) return undefined;
  const answer = new Uint8Array(NTP_BYTES);
  const now = ntpTime(net);
  const times = new DataView(answer.buffer);
  answer.set([(first & 0x38) | NTP_SERVER, 1, asked[2]!, 0xec]);
  answer.set(bytesOf('LOCL'), 12);
  for (const at of [16, 32, 40]) times.setBigUint64(at, now);
  answer.set(asked.subarray(40, 48), 24);
  return answer;
}

/** Whether an address (a number: IPv4, a bigint: IPv6) is somebody's, who answers echoes. */
export const isHost = (net: UserNet, address: number | bigint): boolean =>
  hostAt(net.setup.world, address) !== undefined;

/** Whether somebody takes datagrams to a port of an address. */
export const takesDatagrams = (net: UserNet, address: number | bigint, port: number): boolean =>
  serviceOf(net.setup.world, address, port, 'udp') !== undefined;
