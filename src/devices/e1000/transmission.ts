/**
 * What a transmit descriptor does to the packet that is put together: counted in bytes, without a look at them.
 * QEMU 7.2, hw/net/e1000.c: process_tx_desc.
 */
import type { Draft } from '../../base/draft.ts';
import { contextOf, type TransmitDescriptor, TX } from './descriptors.ts';
import type { Transmission } from './state.ts';

type Packet = Draft<Transmission>;

/** What is done on the way. */
export interface Steps {
  /** These bytes of memory are put behind the others. */
  read(gpa: number, length: number): void;
  /** As many of the first bytes are the header of all segments. */
  header(length: number): void;
  /** What there is goes out. */
  send(): void;
  /** The header alone is left, for the next segment. */
  next(length: number): void;
  /** Nothing is left. */
  clear(): void;
}

/** What registers say of tags. */
export interface Tagging {
  /** Tags are put in. */
  readonly isOn: boolean;
  /** What comes before them. */
  readonly type: number;
}

/** Of a packet no more fits into the controller. */
const BUFFER = 0x1_0000;

const isExtended = ({ lower }: TransmitDescriptor): boolean => (lower & TX.extended) !== 0;

const endsPacket = ({ lower }: TransmitDescriptor): boolean => (lower & TX.endOfPacket) !== 0;

const isContext = (descriptor: TransmitDescriptor): boolean =>
  isExtended(descriptor) && (descriptor.lower & TX.data) === 0;

/** A descriptor's work. */
export function transmit(packet: Packet, descriptor: TransmitDescriptor, tagging: Tagging, steps: Steps): void {
  if (isContext(descriptor)) {
    setContext(packet, descriptor);
    return;
  }
  const isSegment = (descriptor.lower & TX.segment) !== 0;
  if (isExtended(descriptor) && packet.size === 0) packet.sums = (descriptor.upper >>> 8) & 0xff;
  packet.isSegmented = isExtended(descriptor) && isSegment;
  tag(packet, descriptor, tagging);
  if (packet.isSegmented) cut(packet, descriptor, steps);
  else append(packet, descriptor, steps);
  if (endsPacket(descriptor)) end(packet, steps);
}

function setContext(packet: Packet, descriptor: TransmitDescriptor): void {
  if ((descriptor.lower & TX.segment) === 0) {
    packet.context = contextOf(descriptor);
    return;
  }
  packet.segmentContext = contextOf(descriptor);
  packet.frames = 0;
}

/** Beyond 2^53 it is not exact; no memory is there. */
const addressOf = ({ low, high }: TransmitDescriptor): number => high * 2 ** 32 + low;

function tag(packet: Packet, descriptor: TransmitDescriptor, { isOn, type }: Tagging): void {
  if (!isOn || (descriptor.lower & TX.tagged) === 0) return;
  if (packet.isSegmented || endsPacket(descriptor)) packet.tag = (type & 0xffff) * 0x1_0000 + (descriptor.upper >>> 16);
}

/** The size has 16 bits: a buffer that is full counts as empty. */
function grow(packet: Packet, length: number, steps: Steps): void {
  packet.size = (packet.size + length) & 0xffff;
  if (packet.size === 0) steps.clear();
}

function append(packet: Packet, descriptor: TransmitDescriptor, steps: Steps): void {
  const length = Math.min(BUFFER - packet.size, descriptor.lower & 0xffff);
  steps.read(addressOf(descriptor), length);
  grow(packet, length, steps);
}

/** Whatever fills a segment is sent with the header before it. */
function cut(packet: Packet, descriptor: TransmitDescriptor, steps: Steps): void {
  const { header, segment } = packet.segmentContext;
  const most = header + segment;
  let gpa = addressOf(descriptor);
  for (let left = descriptor.lower & 0xffff; packet.size < most; ) {
    const { size } = packet;
    const length = Math.min(left, most - size, BUFFER - size);
    steps.read(gpa, length);
    if (size < header && size + length >= header) steps.header(header);
    grow(packet, length, steps);
    gpa += length;
    left -= length;
    if (size + length === most) {
      send(packet, steps);
      steps.next(header);
      packet.size = header;
    }
    if (length === 0 || left === 0) return;
  }
}

function send(packet: Packet, steps: Steps): void {
  steps.send();
  if (packet.isSegmented) packet.frames = (packet.frames + 1) & 0xffff;
}

/** Also with no more than the header left over, as in QEMU, when its segments came out even. */
function end(packet: Packet, steps: Steps): void {
  if (!packet.isSegmented || packet.size >= packet.segmentContext.header) send(packet, steps);
  Object.assign(packet, { frames: 0, sums: 0, tag: -1, size: 0, isSegmented: false });
  steps.clear();
}

/** Whether the segment that is sent is the last of several: TSCTC counts packets that were cut. */
export function endsCut({ isSegmented, frames, segmentContext: { isTcp, payload, segment } }: Transmission): boolean {
  return isSegmented && isTcp && frames > 0 && !hasMore({ frames, payload, segment });
}

/** Whether segments follow. In 32 bits, as QEMU has it. */
export const hasMore = (of: { readonly frames: number; readonly payload: number; readonly segment: number }): boolean =>
  (of.payload - of.frames * of.segment) >>> 0 > of.segment;
