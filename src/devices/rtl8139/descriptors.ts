/** Descriptors of the C+ mode as they lie in memory, and what an arrived frame says in its header in the C mode. */

/** Four words of a descriptor. */
export interface Descriptor {
  readonly word0: number;
  readonly word1: number;
  readonly low: number;
  readonly high: number;
}

/** Bits of both rings: the chip owns it, the ring ends with it, and which part of a frame it is. */
export const OWN = 0x8000_0000;
const END_OF_RING = 0x4000_0000;
export const FIRST = 0x2000_0000;
export const LAST = 0x1000_0000;

/** Of the first word of a descriptor of what is sent. */
export const SEND = {
  ...{ size: 0xffff, tcpSum: 0x1_0000, udpSum: 0x2_0000, ipSum: 0x4_0000, large: 0x0800_0000 },
  /** What a segment holds of a large packet: 11 bits from here on. */
  segment: 0x1_0000,
  mostSegment: 0x7ff,
  /** What went wrong on the wire, on which nothing does. */
  errors: 0x02f0_0000,
} as const;

/** Of the second word: a tag is to be put in. Its bytes are those of the wire. */
export const SEND_TAG = 0x2_0000;

/** Of the first word of a descriptor of what came. */
export const CAME = { size: 0x1fff } as const;

/** Of the second word: a tag was taken out. */
export const CAME_TAG = 0x1_0000;

/** Why a frame was taken: its address, or because all are. */
export type Match = 'any' | 'physical' | 'multicast' | 'broadcast';

/** How descriptors say so, and headers in the ring of the C mode. */
export const MATCH_BIT: Readonly<Record<Match, number>> = {
  ...{ any: 0, physical: 0x200_0000, multicast: 0x400_0000, broadcast: 0x100_0000 },
};

const HEADER_BIT: Readonly<Record<Match, number>> = {
  ...{ any: 0, physical: 0x4000, multicast: 0x8000, broadcast: 0x2000 },
};

const HEADER_OK = 0x0001;

/** Four bytes before a frame in the ring: how it came, and its bytes with the check sequence. */
export const headerWord = (to: Match, bytes: number): number =>
  (HEADER_BIT[to] | HEADER_OK | ((bytes & 0xffff) << 16)) >>> 0;

export function descriptorOf(bytes: Uint8Array): Descriptor {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (at: number): number => view.getUint32(at, true);
  return { word0: word(0), word1: word(4), low: word(8), high: word(12) };
}

/** Words as they lie in memory. */
export function wordsOf(...words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  for (const [at, word] of words.entries()) view.setUint32(4 * at, word, true);
  return bytes;
}

/** Beyond 2^53 it is not exact; no memory is there. */
export const bufferAt = ({ low, high }: Pick<Descriptor, 'low' | 'high'>): number => high * 2 ** 32 + low;

/** Whether the ring of descriptors begins anew behind this one. */
export const endsRing = ({ word0 }: Pick<Descriptor, 'word0'>): boolean => (word0 & END_OF_RING) !== 0;

/** Of a packet that is sent no more fits into the controller. */
export const MOST_PACKET = 0x1_0000;

/** How many bytes of a descriptor's a packet takes that has so many already. */
export const takenBytes = ({ word0 }: Pick<Descriptor, 'word0'>, size: number): number =>
  Math.min(word0 & SEND.size, MOST_PACKET - size);
