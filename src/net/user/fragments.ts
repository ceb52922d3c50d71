import { fromLatin1, latin1 } from '../../base/bytes.ts';
import { ipv4Text } from '../../packets/addresses.ts';
import type { ParsedIpv4 } from '../../packets/ipv4.ts';
import { joined, numberAt, putNumber } from '../../packets/layout.ts';
import type { UserNet } from './part.ts';
import { isWhole, partialOf, withFragment } from './reassembly.ts';
import type { Fragment } from './state.ts';

const LONGEST = 0xffff;
const FLAGS_AT = 6;
const LENGTH_AT = 2;
const TOS_AT = 1;

/** The datagram they make: its header is that of the first, told whole. */
function joinedFragments(datagram: ParsedIpv4, fragments: readonly Fragment[]): ParsedIpv4 {
  const header = fromLatin1(fragments[0]!.header);
  const payload = joined(...fragments.map(({ bytes }) => fromLatin1(bytes)));
  header[TOS_AT]! &= ~1;
  putNumber(header, FLAGS_AT, 2, 0);
  putNumber(header, LENGTH_AT, 2, header.length + payload.length);
  return {
    ...datagram,
    ...{ header, payload, options: header.subarray(20), tos: header[TOS_AT]!, ttl: header[8]! },
    ...{ dontFragment: false, moreFragments: false, fragmentOffset: 0, checksum: numberAt(header, 10, 2) },
  };
}

/** Keep a part of a datagram. Returns the datagram once it is whole; undefined: more has to come. */
export function keepFragment(net: UserNet, packet: ParsedIpv4): ParsedIpv4 | undefined {
  const { effects, state } = net;
  const { source, destination, protocol, id, fragmentOffset: offset, moreFragments: more } = packet;
  // Longer than any datagram can be.
  if (offset + packet.payload.length > LONGEST) return undefined;
  const name = { source, destination, protocol, id };
  const kept = partialOf(state.partial, name, effects.now)?.fragments ?? [];
  const fragment = { offset, more, header: latin1(packet.header), bytes: latin1(packet.payload) };
  const fragments = withFragment(kept, fragment);
  const said = { dev: effects.name, source: ipv4Text(source), destination: ipv4Text(destination), protocol, id };
  if (!isWhole(fragments)) {
    if (fragments === kept) return undefined;
    const bytes = { header: packet.header, bytes: packet.payload };
    effects.raise({ kind: 'sim:fragment_kept', ...said, offset, more, at: effects.now, ...bytes });
    return undefined;
  }
  const whole = joinedFragments(packet, fragments);
  effects.raise({ kind: 'sim:fragments_over', ...said, len: whole.payload.length });
  return whole;
}
