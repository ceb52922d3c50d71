import type { Ends } from '../../packets/checksum.ts';
import { ICMP_TYPES, UNREACHABLE_CODES } from '../../packets/icmp.ts';
import { ICMPV6_TYPES } from '../../packets/icmpv6.ts';
import { buildIpv4, parseIpv4, WHOLE_IPV4 } from '../../packets/ipv4.ts';
import { buildIpv6, parseIpv6 } from '../../packets/ipv6.ts';
import { sendIcmpError } from '../user/send.ts';
import type { UserNet } from '../user/part.ts';

/** Linux' errno values that user networking tells apart. */
export const ERRNO = { ENETUNREACH: 101, ECONNREFUSED: 111, EHOSTUNREACH: 113 } as const;

/** RFC 4443, 3.1. */
const CODES_6 = { NETWORK: 0, HOST: 3, PORT: 4 } as const;

type Code = keyof typeof CODES_6;

const codeOf = (errno: number): Code =>
  errno === ERRNO.ECONNREFUSED ? 'PORT' : errno === ERRNO.EHOSTUNREACH ? 'HOST' : 'NETWORK';

/** Tell the guest why what it sent has reached nobody. `bytes` begin like what it sent: ports, a sequence number. */
export function tellUnreachable(net: UserNet, ends: Ends, bytes: Uint8Array, errno: number): void {
  const code = codeOf(errno);
  if (typeof ends.source === 'number') {
    const said = buildIpv4({
      ...WHOLE_IPV4,
      ...(ends as Ends & { source: number; destination: number }),
      id: 0,
      ttl: 64,
      payload: bytes,
    });
    const source = code === 'PORT' ? ends.destination : net.network.host;
    sendIcmpError(net, parseIpv4(said)!, { type: ICMP_TYPES.UNREACHABLE, code: UNREACHABLE_CODES[code], source });
    return;
  }
  const all = ends as Ends & { source: bigint; destination: bigint };
  const said = buildIpv6({ ...all, trafficClass: 0, flowLabel: 0, hopLimit: 64, payload: bytes });
  sendIcmpError(net, parseIpv6(said)!, { type: ICMPV6_TYPES.UNREACHABLE, code: CODES_6[code] });
}
