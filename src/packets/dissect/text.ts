import type { Span } from './span.ts';

const DECODER = new TextDecoder();

/** Bytes as text of UTF-8, whatever they are. Who shows it makes it printable. */
export const textIn = (span: Span, at: number, length: number): string => DECODER.decode(span.bytes(at, length));

/** The same up to a byte of zero, which need not be there. */
export function terminated(span: Span, at: number, length: number): string {
  const bytes = span.bytes(at, length);
  const end = bytes.indexOf(0);
  return DECODER.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
