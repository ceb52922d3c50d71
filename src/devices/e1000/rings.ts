/** Rings of descriptors. QEMU 7.2, hw/net/e1000.c: start_xmit, e1000_has_rxbufs, e1000_receive_iov. */
import { DESCRIPTOR_BYTES, R, RCTL } from './registers.ts';
import { bufferBytes, type E1000Registers, registerOf } from './state.ts';

/** Descriptors in a ring, by the register for its length. */
const descriptors = (state: E1000Registers, length: number): number =>
  Math.floor(registerOf(state, length) / DESCRIPTOR_BYTES);

/** The place behind one: the first again behind the last. */
export const ringAfter = (state: E1000Registers, length: number, index: number): number =>
  index + 1 >= descriptors(state, length) ? 0 : index + 1;

/** Once round: where a ring's registers say nonsense, its work would have no end. */
export const isRound = (state: E1000Registers, length: number, head: number, start: number): boolean =>
  head === start || start >= descriptors(state, length);

/** Whether there are buffers for so many bytes. In 32 bits, as QEMU has it. */
export function hasRoom(state: E1000Registers, bytes: number): boolean {
  const [head, tail] = [registerOf(state, R.RDH), registerOf(state, R.RDT)];
  if (head === tail) return false;
  const size = bufferBytes(state);
  if (bytes <= size) return true;
  const buffers = tail > head ? tail - head : descriptors(state, R.RDLEN) + tail - head;
  return bytes <= Math.imul(buffers, size) >>> 0;
}

/** Whether the driver has few buffers left in the ring. 13.4.22, RDMTS. */
export function runsLow(state: E1000Registers): boolean {
  const [head, tail] = [registerOf(state, R.RDH), registerOf(state, R.RDT)];
  const left = ((tail < head ? tail + descriptors(state, R.RDLEN) : tail) - head) >>> 0;
  const part = ((registerOf(state, R.RCTL) / RCTL.threshold) & 3) + 1;
  return left * DESCRIPTOR_BYTES <= registerOf(state, R.RDLEN) >>> part;
}
