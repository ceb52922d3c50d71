import { ARP_OPERATIONS, buildArp, type ParsedArp, parseArp } from '../../packets/arp.ts';
import { buildEthernet, type EthernetFrame, ETHERTYPES } from '../../packets/ethernet.ts';
import { joined } from '../../packets/layout.ts';
import { isHost } from '../world/index.ts';
import { ethernetAt, learn, sendFrame } from './link.ts';
import type { UserNet } from './part.ts';

/** Bytes of an answer: libslirp's buffer. */
const ANSWER = 64;

/** Whether somebody whom user networking plays has an address of the network. */
function isPlayed(net: UserNet, address: number): boolean {
  const { network, mask, host, dns, forwards } = net.network;
  if ((address & mask) >>> 0 !== network) return false;
  if (address === dns || address === host) return true;
  return forwards.some((forward) => forward.address === address) || isHost(net, address);
}

function answer(net: UserNet, message: ParsedArp, destination: number): void {
  const { senderEthernet: targetEthernet, senderIpv4: targetIpv4, targetIpv4: senderIpv4 } = message;
  const source = ethernetAt(senderIpv4);
  const said = { senderEthernet: source, senderIpv4, targetEthernet, targetIpv4 };
  const payload = buildArp({ operation: ARP_OPERATIONS.REPLY, ...said });
  const frame = buildEthernet({ destination, source, type: ETHERTYPES.ARP, payload });
  sendFrame(net, joined(frame, new Uint8Array(ANSWER - frame.length)));
}

/** An ARP message of the guest's. */
export function receiveArp(net: UserNet, frame: EthernetFrame): void {
  const message = net.network.hasIpv4 ? parseArp(frame.payload) : undefined;
  if (message === undefined) return;
  const { operation, senderIpv4, senderEthernet, targetIpv4 } = message;
  const isAnnounced = operation === ARP_OPERATIONS.REQUEST && targetIpv4 === senderIpv4;
  if (operation === ARP_OPERATIONS.REPLY || isAnnounced) {
    learn(net, senderIpv4, senderEthernet);
  } else if (operation === ARP_OPERATIONS.REQUEST && isPlayed(net, targetIpv4)) {
    learn(net, senderIpv4, senderEthernet);
    answer(net, message, frame.source);
  }
}
