/** What the host itself says on a bridge that has an address: it answers ARP and pings, as Linux does. */
import type { Effects } from '../../devices/device.ts';
import { ipv4Of } from '../../packets/addresses.ts';
import { ARP_OPERATIONS, buildArp, parseArp } from '../../packets/arp.ts';
import { internetChecksum } from '../../packets/checksum.ts';
import { buildEthernet, type EthernetFrame, ETHERTYPES, parseEthernet } from '../../packets/ethernet.ts';
import { buildIcmp, ICMP_TYPES, parseIcmp } from '../../packets/icmp.ts';
import { buildIpv4, IP_PROTOCOLS, parseIpv4 } from '../../packets/ipv4.ts';
import { type BridgeSetup, type BridgeState, ownEthernet } from './state.ts';

/** A bridge at work. */
export interface Bridge {
  readonly setup: BridgeSetup;
  readonly state: BridgeState;
  readonly effects: Effects;
}

/** The answer to a frame the host has heard, for who sent it; undefined: it has none. */
export function answerTo({ setup }: Bridge, bytes: Uint8Array): Uint8Array | undefined {
  const own = setup.address === undefined ? undefined : ipv4Of(setup.address.split('/')[0]!);
  const frame = parseEthernet(bytes);
  if (own === undefined || frame === undefined) return undefined;
  const source = ownEthernet(setup);
  const payload = frame.type === ETHERTYPES.ARP ? arpAnswer(frame, own, source) : echoAnswer(frame, own);
  if (payload === undefined) return undefined;
  return buildEthernet({ destination: frame.source, source, type: frame.type, payload });
}

function arpAnswer({ payload }: EthernetFrame, own: number, ethernet: number): Uint8Array | undefined {
  const asked = parseArp(payload);
  if (asked?.isEthernetIpv4 !== true || asked.operation !== ARP_OPERATIONS.REQUEST || asked.targetIpv4 !== own) {
    return undefined;
  }
  return buildArp({
    ...{ operation: ARP_OPERATIONS.REPLY, senderEthernet: ethernet, senderIpv4: own },
    ...{ targetEthernet: asked.senderEthernet, targetIpv4: asked.senderIpv4 },
  });
}

/** Linux' time to live. */
const TTL = 64;

function echoAnswer({ type, payload }: EthernetFrame, own: number): Uint8Array | undefined {
  const ip = type === ETHERTYPES.IPV4 ? parseIpv4(payload) : undefined;
  if (ip?.destination !== own || ip.protocol !== IP_PROTOCOLS.ICMP || ip.fragmentOffset > 0) return undefined;
  const message = parseIcmp(ip.payload);
  if (message?.type !== ICMP_TYPES.ECHO_REQUEST || internetChecksum(ip.payload) !== 0) return undefined;
  const answer = buildIcmp({ ...message, type: ICMP_TYPES.ECHO_REPLY });
  return buildIpv4({ ...ip, ttl: TTL, source: own, destination: ip.source, payload: answer });
}
