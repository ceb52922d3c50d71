/**
 * The digest of state: XXH32 of a value's deterministic CBOR, so that anybody's libraries come to the same. It tells
 * whether two runs differ, fast; it is no protection against somebody who wants two values to be alike.
 */
import { CborEncoder } from './cbor.ts';
import { xxh32 } from './xxh32.ts';

const ENCODER = new CborEncoder();

/** Eight hexadecimal digits of a 32-bit word. */
const hexWord = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

/** XXH32, seed 0, of a plain value's CBOR. */
export const digestWord = (value: unknown): number => xxh32(ENCODER.encode(value), 0);

/** XXH32 with seed 0 and with seed 1 of a plain value's CBOR, as 16 hexadecimal digits. */
export const digestOf = (value: unknown): string => digestOfBytes(ENCODER.encode(value));

/** The same of bytes as they are. */
export const digestOfBytes = (bytes: Uint8Array): string => hexWord(xxh32(bytes, 0)) + hexWord(xxh32(bytes, 1));
