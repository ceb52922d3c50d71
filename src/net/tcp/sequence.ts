/** Sequence numbers of TCP are of 32 bits, and wrap: RFC 9293, 3.4. */

/** The number so many further on. */
export const plus = (sequence: number, count: number): number => (sequence + count) >>> 0;

/** How far `to` lies after `from`; negative when it lies before. */
export const distance = (from: number, to: number): number => (to - from) | 0;

export const isAfter = (sequence: number, other: number): boolean => distance(other, sequence) > 0;

export const later = (one: number, other: number): number => (isAfter(one, other) ? one : other);
