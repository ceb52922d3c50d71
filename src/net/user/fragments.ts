import { fromLatin1 } from '../../base/bytes.ts';
import { ipv4Text } from '../../packets/addresses.ts';
import type { ParsedIpv4 } from '../../packets/ipv4.ts';
import { numberAt } from '../../packets/layout.ts';
import { placeOf, type UserNet } from './part.ts';
import { fragmentAt, isWhole, partialOf, withFragment } from './reassembly.ts';

const LONGEST = 0xffff;
const CHECKSUM_AT = 10;
const TTL_AT = 8;

/** A datagram that came in parts, and user networking with it in hand. */
interface Whole {
  readonly net: UserNet;
  readonly datagram: ParsedIpv4;
}

/** The datagram the last of its parts, `packet`, has made whole. */
function wholeOf(net: UserNet, packet: ParsedIpv4, headerLength: number): Whole {
  const bytes = fromLatin1(net.state.packet);
  const header = bytes.subarray(0, headerLength);
  return {
    net: { ...net, packet: bytes },
    datagram: {
      ...packet,
      ...{ header, payload: bytes.subarray(headerLength), options: header.subarray(20), tos: header[1]! },
      ...{ ttl: header[TTL_AT]!, checksum: numberAt(header, CHECKSUM_AT, 2) },
      ...{ dontFragment: false, moreFragments: false, fragmentOffset: 0 },
    },
  };
}

/** Keep a part of a datagram. Returns the datagram once it is whole; undefined: more has to come. */
export function keepFragment(net: UserNet, packet: ParsedIpv4): Whole | undefined {
  const { effects, state } = net;
  const { source, destination, protocol, id, fragmentOffset: offset, moreFragments: more } = packet;
  // Longer than any datagram can be.
  if (offset + packet.payload.length > LONGEST) return undefined;
  const name = { source, destination, protocol, id };
  const kept = partialOf(state.partial, name, effects.now)?.fragments ?? [];
  const place = { begins: placeOf(net, packet.header), header: packet.header.length, len: packet.payload.length };
  if (withFragment(kept, fragmentAt(state.packet, { offset, more, ...place })) === kept) return undefined;
  const said = { dev: effects.name, source: ipv4Text(source), destination: ipv4Text(destination), protocol, id };
  effects.raise({ kind: 'sim:fragment_kept', ...said, offset, more, at: effects.now, ...place });
  const fragments = partialOf(state.partial, name, effects.now)?.fragments ?? [];
  if (!isWhole(fragments)) return undefined;
  const headerLength = fragments[0]!.header.length;
  effects.raise({
    kind: 'sim:fragments_over',
    ...said,
    len: fragments.reduce((sum, { bytes }) => sum + bytes.length, 0),
  });
  return wholeOf(net, packet, headerLength);
}
