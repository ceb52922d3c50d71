/** For whom a frame is. Intel's manual, 3.2.1 and 13.5; QEMU 7.2, hw/net/e1000.c: receive_filter. */
import type { Effects } from '../device.ts';
import { ADDRESS_VALID, ADDRESSES, R, RCTL } from './registers.ts';
import { type E1000Registers, registerOf } from './state.ts';
import { isBroadcast, isMulticast } from './statistics.ts';

/** Type and tag of a frame that has one. */
const TYPE = 12;
const TAG = 14;

const word = (frame: Uint8Array, at: number): number => (frame[at]! << 8) | frame[at + 1]!;

export const isTagged = (state: E1000Registers, frame: Uint8Array): boolean =>
  word(frame, TYPE) === (registerOf(state, R.VET) & 0xffff);

export const tagOf = (frame: Uint8Array): number => word(frame, TAG);

const bit = (state: E1000Registers, table: number, at: number): boolean =>
  ((registerOf(state, table + 4 * (at >> 5)) >>> (at & 31)) & 1) !== 0;

/** Whether the controller takes a frame of at least 60 bytes. */
export function isForUs(state: E1000Registers, frame: Uint8Array, effects: Effects): boolean {
  const rctl = registerOf(state, R.RCTL);
  if ((rctl & RCTL.vlanFilter) !== 0 && isTagged(state, frame) && !bit(state, R.VFTA, tagOf(frame) & 0xfff)) {
    return false;
  }
  const broadcast = isBroadcast(frame);
  if (!isMulticast(frame) && (rctl & RCTL.unicastPromiscuous) !== 0) return true;
  // A broadcast is a multicast to QEMU here.
  if (isMulticast(frame) && (rctl & RCTL.multicastPromiscuous) !== 0) return groupTaken(effects, false);
  if (broadcast && (rctl & RCTL.broadcast) !== 0) return groupTaken(effects, true);
  return isListed(state, frame, effects);
}

function groupTaken(effects: Effects, broadcast: boolean): true {
  effects.raise({ kind: 'sim:e1000_group_taken', dev: effects.name, broadcast });
  return true;
}

/** Which twelve bits of an address the table goes by. 13.4.22, MO. */
const SHIFTS = [4, 3, 2, 0] as const;

/** By the addresses of its own, or the table for many. */
function isListed(state: E1000Registers, frame: Uint8Array, effects: Effects): boolean {
  const [dev, mac] = [effects.name, frame.slice(0, 6)];
  for (let index = 0; index < ADDRESSES; index++) {
    if (!isAddress(state, index, mac)) continue;
    effects.raise({ kind: 'e1000x_rx_flt_ucast_match', dev, idx: index, mac });
    return true;
  }
  effects.raise({ kind: 'e1000x_rx_flt_ucast_mismatch', dev, mac });
  const mo = (registerOf(state, R.RCTL) >>> 12) & 3;
  const at = (((mac[5]! << 8) | mac[4]!) >> SHIFTS[mo]!) & 0xfff;
  if (bit(state, R.MTA, at)) return groupTaken(effects, false);
  const mta = at >> 5;
  const value = registerOf(state, R.MTA + 4 * mta);
  effects.raise({ kind: 'e1000x_rx_flt_inexact_mismatch', dev, mac, mo, mta, value });
  return false;
}

function isAddress(state: E1000Registers, index: number, mac: Uint8Array): boolean {
  const [low, high] = [registerOf(state, R.RA + 8 * index), registerOf(state, R.RA + 8 * index + 4)];
  if ((high & ADDRESS_VALID) === 0) return false;
  return mac.every((byte, at) => byte === (at < 4 ? (low >>> (8 * at)) & 0xff : (high >>> (8 * at - 32)) & 0xff));
}
