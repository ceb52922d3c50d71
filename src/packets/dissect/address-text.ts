/** Addresses as people write them. */
import type { Span } from './span.ts';

/** IEEE 802, with colons. */
export const etherText = (span: Span, at: number): string =>
  Array.from({ length: 6 }, (_, byte) =>
    span
      .u8(at + byte)
      .toString(16)
      .padStart(2, '0'),
  ).join(':');

export const ipv4Text = (span: Span, at: number): string =>
  `${span.u8(at)}.${span.u8(at + 1)}.${span.u8(at + 2)}.${span.u8(at + 3)}`;

const GROUPS = 8;

/** As RFC 5952, 4 has it: the longest run of zeroes, the first of equals, is `::`. */
export function ipv6Text(span: Span, at: number): string {
  const groups = Array.from({ length: GROUPS }, (_, group) => span.u16(at + 2 * group));
  let [from, most] = [0, 1];
  for (let start = 0; start < GROUPS; start += 1) {
    let end = start;
    while (end < GROUPS && groups[end] === 0) end += 1;
    if (end - start > most) [from, most] = [start, end - start];
    start = Math.max(start, end);
  }
  const digits = groups.map((group) => group.toString(16));
  if (most < 2) return digits.join(':');
  return `${digits.slice(0, from).join(':')}::${digits.slice(from + most).join(':')}`;
}
