/** Which frames are for the driver. QEMU 7.2: receive_filter. */
import { latin1 } from '../../base/bytes.ts';
import { MAC_BYTES } from './registers.ts';
import type { NetState } from './state.ts';

const TYPE = 12;
const VLAN_TAG = 0x8100;
const BROADCAST = '\xff'.repeat(MAC_BYTES);

/** A short frame is as if zeroes followed. mac: its own address. */
export function isFor(net: NetState, mac: Uint8Array, frame: Uint8Array): boolean {
  if (net.modes.includes('promiscuous')) return true;
  if (word(frame, TYPE) === VLAN_TAG && !isOfVlan(net, word(frame, TYPE + 2) & 0xfff)) return false;
  const address = latin1(Array.from({ length: MAC_BYTES }, (_, at) => frame[at] ?? 0));
  return (address.charCodeAt(0) & 1) !== 0 ? isForGroup(net, address) : isForOne(net, latin1(mac), address);
}

const word = (frame: Uint8Array, at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);

const isOfVlan = ({ vlans }: NetState, vid: number): boolean => ((vlans.charCodeAt(vid >> 3) >> (vid & 7)) & 1) !== 0;

function isForGroup({ modes, multicast, multicastAll }: NetState, address: string): boolean {
  if (address === BROADCAST) return !modes.includes('no-broadcast');
  if (modes.includes('no-multicast')) return false;
  return modes.includes('all-multicast') || multicastAll || multicast.includes(address);
}

function isForOne({ modes, unicast, unicastAll }: NetState, mac: string, address: string): boolean {
  if (modes.includes('no-unicast')) return false;
  return modes.includes('all-unicast') || unicastAll || mac === address || unicast.includes(address);
}
