/** Counters, which stop where they are full. Intel's manual, 13.7. QEMU 7.2, hw/net/e1000x_common.c. */
import type { Draft } from '../../base/draft.ts';
import { R } from './registers.ts';
import { type E1000Registers, putRegister, registerOf } from './state.ts';

type Nic = Draft<E1000Registers>;

const FULL = 0xffff_ffff;

/** How many packets of which sizes: those of less than 64 bytes are counted nowhere. */
const SIZES = [64, 127, 255, 511, 1023] as const;
const RECEIVED = [R.PRC64, R.PRC127, R.PRC255, R.PRC511, R.PRC1023, R.PRC1522] as const;
const SENT = [R.PTC64, R.PTC127, R.PTC255, R.PTC511, R.PTC1023, R.PTC1522] as const;

export function count(nic: Nic, register: number): void {
  putRegister(nic, register, Math.min(registerOf(nic, register) + 1, FULL));
}

/** A counter of 64 bits, by its lower half. */
function countOctets(nic: Nic, register: number, octets: number): void {
  const sum = registerOf(nic, register) + octets;
  const high = registerOf(nic, register + 4) + (sum > FULL ? 1 : 0);
  putRegister(nic, register, high > FULL ? FULL : sum % 2 ** 32);
  putRegister(nic, register + 4, Math.min(high, FULL));
}

function countSize(nic: Nic, registers: typeof RECEIVED | typeof SENT, size: number): void {
  if (size < SIZES[0]) return;
  const at = SIZES.findIndex((most) => size <= most);
  count(nic, registers.at(at)!);
}

const FCS = 4;

/** withFcs: bytes with the check sequence, if the driver sees that. */
export function countReceived(nic: Nic, octets: number, withFcs: number): void {
  countSize(nic, RECEIVED, withFcs);
  count(nic, R.TPR);
  count(nic, R.GPRC);
  countOctets(nic, R.TORL, octets + FCS);
  countOctets(nic, R.GORCL, octets + FCS);
}

/** octets: without the tag that was put in, of which the size knows. */
export function countSent(nic: Nic, octets: number, size: number): void {
  countSize(nic, SENT, size + FCS);
  count(nic, R.TPT);
  count(nic, R.GPTC);
  countOctets(nic, R.TOTL, octets + FCS);
  countOctets(nic, R.GOTCL, octets + FCS);
}

/** To whom a frame was sent. */
export function countDestination(nic: Nic, frame: Uint8Array): void {
  if (isBroadcast(frame)) count(nic, R.BPTC);
  else if (isMulticast(frame)) count(nic, R.MPTC);
}

const ADDRESS = 6;

export const isBroadcast = (frame: Uint8Array): boolean =>
  frame.length >= ADDRESS && frame.subarray(0, ADDRESS).every((byte) => byte === 0xff);

export const isMulticast = (frame: Uint8Array): boolean => (frame[0]! & 1) !== 0;
