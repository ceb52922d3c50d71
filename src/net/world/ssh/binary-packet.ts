/**
 * Packets of SSH: RFC 4253, 6, and sealed by chacha20-poly1305@openssh.com, as OpenSSH's PROTOCOL.chacha20poly1305
 * says. Padding is of zeros.
 */
import { poly1305 } from '@noble/ciphers/_poly1305.js';
import { chacha20orig } from '@noble/ciphers/chacha.js';
import { fromLatin1 } from '../../../base/bytes.ts';
import { numberAt, putNumber } from '../../../packets/layout.ts';

const LENGTH = 4;
const BLOCK = 8;
const LEAST_PADDING = 4;
const TAG = 16;
const KEY = 32;
/** RFC 4253, 6.1: what everybody has to take. */
const MOST = 35_000;

/** What is at the front of what was heard. */
export type Opened =
  | { readonly is: 'partial' }
  | { readonly is: 'bad'; readonly why: 'length' | 'seal' }
  /** used: characters of what was heard. */
  | { readonly is: 'packet'; readonly payload: Uint8Array; readonly used: number };

const PARTIAL: Opened = { is: 'partial' };

interface Sealing {
  /** 64 bytes, a byte a character: of the payload, then of its length; empty: nothing is sealed. */
  readonly keys: string;
  readonly sequence: number;
}

/** A cipher's streams for one packet. */
function streamsOf({ keys, sequence }: Sealing) {
  const bytes = fromLatin1(keys);
  const nonce = new Uint8Array(8);
  putNumber(nonce, 4, 4, sequence);
  const [payloadKey, lengthKey] = [bytes.subarray(0, KEY), bytes.subarray(KEY)];
  return {
    length: (data: Uint8Array) => chacha20orig(lengthKey, nonce, data),
    payload: (data: Uint8Array) => chacha20orig(payloadKey, nonce, data, undefined, 1),
    tag: (data: Uint8Array) => poly1305(data, chacha20orig(payloadKey, nonce, new Uint8Array(KEY))),
  };
}

/** Open the packet at the front of what was heard. */
export function openPacket(heard: string, sealing: Sealing): Opened {
  if (heard.length < LENGTH) return PARTIAL;
  const isSealed = sealing.keys !== '';
  const first = fromLatin1(heard.slice(0, LENGTH));
  const streams = isSealed ? streamsOf(sealing) : undefined;
  const length = numberAt(streams?.length(first) ?? first, 0, LENGTH);
  const inBlocks = isSealed ? length : LENGTH + length;
  if (length > MOST || length < BLOCK || inBlocks % BLOCK !== 0) return { is: 'bad', why: 'length' };
  const end = LENGTH + length;
  const used = end + (isSealed ? TAG : 0);
  if (heard.length < used) return PARTIAL;
  const bytes = fromLatin1(heard.slice(0, used));
  if (streams === undefined) return unpadded(bytes.subarray(LENGTH, end), used);
  if (!areEqual(streams.tag(bytes.subarray(0, end)), bytes.subarray(end))) return { is: 'bad', why: 'seal' };
  return unpadded(streams.payload(bytes.subarray(LENGTH, end)), used);
}

const areEqual = (some: Uint8Array, others: Uint8Array): boolean => some.every((byte, at) => byte === others[at]);

function unpadded(packet: Uint8Array, used: number): Opened {
  const padding = packet[0]!;
  const end = packet.length - padding;
  if (padding < LEAST_PADDING || end < 2) return { is: 'bad', why: 'length' };
  return { is: 'packet', payload: packet.subarray(1, end), used };
}

/** A packet as it goes to the guest. */
export function sealPacket(payload: Uint8Array, sealing: Sealing): Uint8Array {
  const isSealed = sealing.keys !== '';
  const filled = 1 + payload.length + (isSealed ? 0 : LENGTH);
  const padding = LEAST_PADDING + ((BLOCK - ((filled + LEAST_PADDING) % BLOCK)) % BLOCK);
  const length = 1 + payload.length + padding;
  const packet = new Uint8Array(LENGTH + length + (isSealed ? TAG : 0));
  putNumber(packet, 0, LENGTH, length);
  packet[LENGTH] = padding;
  packet.set(payload, LENGTH + 1);
  if (!isSealed) return packet;
  const streams = streamsOf(sealing);
  const end = LENGTH + length;
  packet.set(streams.length(packet.subarray(0, LENGTH)));
  packet.set(streams.payload(packet.subarray(LENGTH, end)), LENGTH);
  packet.set(streams.tag(packet.subarray(0, end)), end);
  return packet;
}
