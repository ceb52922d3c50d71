/** Headers and checksums of what is sent. QEMU 7.2, hw/net/e1000.c: xmit_seg, putsum. */
import { internetChecksum } from '../../packets/checksum.ts';
import { type Context, SUM } from './descriptors.ts';
import type { Transmission } from './state.ts';
import { hasMore } from './transmission.ts';

/** Behind the last byte of a packet that headers can reach: what lies there is not sent. */
const MARGIN = 0x200;
const TAG_BYTES = 4;
/** A tag comes behind the two addresses. */
const ADDRESSES = 12;

/** PSH and FIN of TCP are the last segment's alone. RFC 9293, 3.1. */
const LAST_ALONE = 0x9;

/** The frame that a packet's bytes become. */
export function frameOf(packet: Transmission, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(bytes.length + MARGIN);
  frame.set(bytes);
  const view = new DataView(frame.buffer);
  const { size } = packet;
  const context = packet.isSegmented ? packet.segmentContext : packet.context;
  if (packet.isSegmented) segmentHeaders(view, packet);
  if ((packet.sums & SUM.transport) !== 0) {
    putSum(view, size, { at: context.transportSum, first: context.transportStart, last: context.transportEnd });
  }
  if ((packet.sums & SUM.ip) !== 0) {
    putSum(view, size, { at: context.ipSum, first: context.ipStart, last: context.ipEnd });
  }
  return packet.tag < 0 ? frame.slice(0, size) : tagged(frame, size, packet.tag);
}

function segmentHeaders(view: DataView, { size, frames, sums, segmentContext: context }: Transmission): void {
  networkHeader(view, size, frames, context);
  const at = context.transportStart;
  const length = (size - at) & 0xffff;
  if (context.isTcp) tcpHeader(view, frames, context);
  else view.setUint16(at + 4, length);
  if ((sums & SUM.transport) === 0) return;
  // The driver left the pseudo header there, without the length.
  const sum = view.getUint16(context.transportSum) + length;
  view.setUint16(context.transportSum, (sum >>> 16) + (sum & 0xffff));
}

function networkHeader(view: DataView, size: number, frames: number, { ipStart: at, isIpv4 }: Context): void {
  if (!isIpv4) {
    view.setUint16(at + 4, size - at);
    return;
  }
  view.setUint16(at + 2, size - at);
  view.setUint16(at + 4, view.getUint16(at + 4) + frames);
}

function tcpHeader(view: DataView, frames: number, { transportStart: at, payload, segment }: Context): void {
  view.setUint32(at + 4, view.getUint32(at + 4) + frames * segment);
  if (hasMore({ frames, payload, segment })) view.setUint8(at + 13, view.getUint8(at + 13) & ~LAST_ALONE);
}

/** Which bytes a checksum is of, and where it goes. last 0: to the end. */
interface Range {
  readonly at: number;
  readonly first: number;
  readonly last: number;
}

/** RFC 1071. Nothing adds up to zero, which would say that there is none. */
function putSum(view: DataView, size: number, { at, first, last }: Range): void {
  const end = last !== 0 && last < size ? last + 1 : size;
  // In an empty packet, too, there would be room.
  if (at >= (end - 1) >>> 0) return;
  const sum = internetChecksum(new Uint8Array(view.buffer, first, Math.max(0, end - first)));
  view.setUint16(at, sum === 0 ? 0xffff : sum);
}

function tagged(frame: Uint8Array, size: number, tag: number): Uint8Array {
  const out = new Uint8Array(Math.max(size, ADDRESSES) + TAG_BYTES);
  out.set(frame.subarray(0, ADDRESSES));
  new DataView(out.buffer).setUint32(ADDRESSES, tag);
  out.set(frame.subarray(ADDRESSES, Math.max(size, ADDRESSES)), ADDRESSES + TAG_BYTES);
  return out.subarray(0, size + TAG_BYTES);
}
