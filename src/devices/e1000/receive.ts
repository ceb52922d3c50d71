/** Frames that come. QEMU 7.2, hw/net/e1000.c: e1000_can_receive, e1000_receive_iov. */
import type { Effects } from '../device.ts';
import { isBusMaster } from '../pci/index.ts';
import { bufferOf, type Filled, filledDescriptor, RX, RX_STATUS } from './descriptors.ts';
import { readMemory, writeMemory } from './dma.ts';
import { isForUs, isTagged, tagOf } from './filter.ts';
import { driveInterrupt } from './interrupts.ts';
import { CTRL, DESCRIPTOR_BYTES, R, RCTL, STATUS } from './registers.ts';
import { hasRoom, isRound } from './rings.ts';
import { bufferBytes, type E1000State, registerOf, ringBase } from './state.ts';

/** The least of a frame without its check sequence: the controller fills up what is shorter. */
const LEAST = 60;
/** The most of a frame, with a tag; and of a long one. */
const MOST = 1522;
const MOST_LONG = 16_384;
const FCS = 4;
const TAG_BYTES = 4;
const ADDRESSES = 12;

export const isLinkUp = (state: E1000State): boolean => (registerOf(state, R.STATUS) & STATUS.linkUp) !== 0;

const has = (state: E1000State, bit: number): boolean => (registerOf(state, R.RCTL) & bit) !== 0;

export const isEnabled = (state: E1000State): boolean => has(state, RCTL.enable);

export const canReceive = (state: E1000State): boolean =>
  isLinkUp(state) && isEnabled(state) && isBusMaster(state) && hasRoom(state, 1) && !state.isWaiting;

/** A frame is taken: why it was not. */
export function receive(state: E1000State, bytes: Uint8Array, effects: Effects): string | undefined {
  const dev = effects.name;
  if (!isLinkUp(state)) {
    effects.raise({ kind: 'e1000x_rx_link_down', dev, status: registerOf(state, R.STATUS) });
    return 'link down';
  }
  if (!isEnabled(state)) {
    effects.raise({ kind: 'e1000x_rx_disabled', dev, rctl: registerOf(state, R.RCTL) });
    return 'receiver off';
  }
  const frame = padded(bytes);
  if (isOversized(state, frame.length)) {
    effects.raise({ kind: 'e1000x_rx_oversized', dev, size: frame.length });
    return 'too long';
  }
  if (!isForUs(state, frame, effects)) return 'for somebody else';
  const isStored = store(state, frame, effects);
  driveInterrupt(state, effects);
  return isStored ? undefined : 'no descriptors';
}

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= LEAST) return bytes;
  const frame = new Uint8Array(LEAST);
  frame.set(bytes);
  return frame;
}

const isOversized = (state: E1000State, size: number): boolean =>
  !has(state, RCTL.storeBad) && (size > MOST_LONG || (size > MOST && !has(state, RCTL.longPackets)));

/** What of a frame descriptors are told. */
interface Arrival {
  readonly bytes: Uint8Array;
  /** With the check sequence, of which there is only the length. */
  readonly length: number;
  readonly status: number;
  readonly special: number;
}

function arrivalOf(state: E1000State, frame: Uint8Array): Arrival {
  const isStripped = (registerOf(state, R.CTRL) & CTRL.vme) !== 0 && isTagged(state, frame);
  const bytes = isStripped ? untagged(frame) : frame;
  const length = bytes.length + (has(state, RCTL.stripCrc) ? 0 : FCS);
  return { bytes, length, status: isStripped ? RX.vlan : 0, special: isStripped ? tagOf(frame) : 0 };
}

function untagged(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(frame.length - TAG_BYTES);
  bytes.set(frame.subarray(0, ADDRESSES));
  bytes.set(frame.subarray(ADDRESSES + TAG_BYTES), ADDRESSES);
  return bytes;
}

/** Put a frame into buffers of the ring. False: there are not enough. */
function store(state: E1000State, frame: Uint8Array, effects: Effects): boolean {
  const arrival = arrivalOf(state, frame);
  if (!hasRoom(state, arrival.length)) return overrun(state, arrival, effects);
  const start = registerOf(state, R.RDH);
  for (let done = 0; done < arrival.length; ) {
    done += fill(state, arrival, done, effects);
    if (isRound(state, R.RDLEN, registerOf(state, R.RDH), start)) return overrun(state, arrival, effects);
  }
  effects.raise({ kind: 'sim:e1000_received', dev: effects.name, octets: arrival.bytes.length });
  return true;
}

function overrun(state: E1000State, { length }: Arrival, effects: Effects): false {
  const [rdh, rdt] = [registerOf(state, R.RDH), registerOf(state, R.RDT)];
  effects.raise({ kind: 'e1000_receiver_overrun', dev: effects.name, s: length, rdh, rdt });
  return false;
}

/** Fill the buffer of the descriptor at the head: how much of the frame went there. One without a buffer is skipped. */
function fill(state: E1000State, arrival: Arrival, done: number, effects: Effects): number {
  const index = registerOf(state, R.RDH);
  const at = ringBase(state, R.RDBAL, R.RDBAH) + DESCRIPTOR_BYTES * index;
  const before = readMemory(state, effects, at, DESCRIPTOR_BYTES, 'dmaRead');
  const gpa = bufferOf(before);
  const length = gpa === 0n ? 0 : Math.min(arrival.length - done, bufferBytes(state));
  const filled = filledBy(before, arrival, { gpa, length, isLast: done + length >= arrival.length });
  const { status, special } = filled;
  effects.raise({ kind: 'sim:e1000_rx_descriptor', dev: effects.name, index, gpa, len: length, status, special });
  writeMemory(state, effects, Number(gpa), arrival.bytes.subarray(done, done + length));
  // First without DD, then the status alone: a driver that polls sees a descriptor that is whole.
  writeMemory(state, effects, at, filledDescriptor(before, filled));
  writeMemory(state, effects, at + RX_STATUS, Uint8Array.of(status | arrival.status | RX.done));
  return length;
}

interface Piece {
  readonly gpa: bigint;
  readonly length: number;
  readonly isLast: boolean;
}

/** What the descriptor is told first. */
function filledBy(before: Uint8Array, { special }: Arrival, { gpa, length, isLast }: Piece): Filled {
  const status = before[RX_STATUS]! & ~RX.done;
  if (gpa === 0n) return { length: undefined, status, special };
  return {
    length,
    status: isLast ? status | RX.endOfPacket | RX.ignoreSums : status & ~RX.endOfPacket,
    special,
  };
}
