/** For whom a frame is. QEMU 7.2, hw/net/rtl8139.c: rtl8139_do_receive. */
import { crc32 } from '../../base/crc32.ts';
import type { Match } from './descriptors.ts';
import { R, RCR } from './registers.ts';
import { addressOf, registerOf, type Rtl8139Registers } from './state.ts';

const ADDRESS = 6;

/** Which bit of the table for many an address goes by: the highest six of its sum, first bit of the wire first. */
function groupBit(address: Uint8Array): number {
  const sum = ~crc32(address);
  let bit = 0;
  for (let at = 0; at < ADDRESS; at++) bit = (bit << 1) | ((sum >>> at) & 1);
  return bit;
}

const isInTable = (nic: Rtl8139Registers, bit: number): boolean =>
  ((registerOf(nic, R.MAR + (bit >> 3)) >> (bit & 7)) & 1) !== 0;

/** Why a frame of at least six bytes is taken; undefined: it is for somebody else. */
export function matchOf(nic: Rtl8139Registers, frame: Uint8Array): Match | undefined {
  const rcr = registerOf(nic, R.RCR);
  const takes = (bit: number, to: Match): Match | undefined => ((rcr & bit) === 0 ? undefined : to);
  if ((rcr & RCR.all) !== 0) return 'any';
  const to = frame.subarray(0, ADDRESS);
  if (to.every((byte) => byte === 0xff)) return takes(RCR.broadcast, 'broadcast');
  if ((to[0]! & 1) !== 0) return isInTable(nic, groupBit(to)) ? takes(RCR.multicast, 'multicast') : undefined;
  return addressOf(nic).every((octet, at) => octet === to[at]) ? takes(RCR.physical, 'physical') : undefined;
}
