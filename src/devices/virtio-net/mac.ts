/** Ethernet addresses: as people write them, and as six bytes, a character each. */
import { fromLatin1, octetsText } from '../../base/bytes.ts';

const WRITTEN = /^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}$/i;

/** Undefined: it is none. */
export function macFrom(text: string): string | undefined {
  if (!WRITTEN.test(text)) return undefined;
  return String.fromCharCode(...text.split(/[:-]/).map((digits) => Number.parseInt(digits, 16)));
}

/** As QEMU writes them. */
export const writtenMac = (mac: string): string => octetsText(fromLatin1(mac));
