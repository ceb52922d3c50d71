import { Problem } from '../../base/problem.ts';
import type { ByteSource } from '../../replay/trace/opened.ts';

/** Headers and contents begin at multiples of this. */
const BLOCK = 512;

/** Eleven octal digits. */
const LARGEST = 8 ** 11 - 1;
const LONGEST_NAME = 100;
const MOST_FILES = 10_000;

const MAGIC = 'ustar\0' + '00';
const AT = { name: 0, mode: 100, uid: 108, gid: 116, size: 124, mtime: 136, checksum: 148, type: 156, magic: 257 };
const PLAIN_FILE = '0';

/** A file in an archive. */
export interface TarEntry {
  readonly name: string;
  /** Of its content. */
  readonly offset: number;
  readonly size: number;
}

/** The header of a file in an archive (ustar), the same whoever makes it and when. */
export function tarHeader(name: string, size: number): Uint8Array {
  if (size > LARGEST) throw new Problem(`${name} has ${size} bytes: no file of an archive has more than ${LARGEST}.`);
  const header = Buffer.alloc(BLOCK);
  header.write(name, AT.name, LONGEST_NAME, 'latin1');
  header.write('0000644\0', AT.mode, 'latin1');
  for (const at of [AT.uid, AT.gid]) header.write('0000000\0', at, 'latin1');
  header.write(octal(size), AT.size, 'latin1');
  header.write(octal(0), AT.mtime, 'latin1');
  header.write(PLAIN_FILE, AT.type, 'latin1');
  header.write(MAGIC, AT.magic, 'latin1');
  header.write(`${checksumOf(header).toString(8).padStart(6, '0')}\0 `, AT.checksum, 'latin1');
  return new Uint8Array(header.buffer, header.byteOffset, BLOCK);
}

const octal = (value: number): string => `${value.toString(8).padStart(11, '0')}\0`;

/** The sum of a header's bytes, with blanks in place of the sum itself. */
function checksumOf(header: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) {
    sum += at >= AT.checksum && at < AT.checksum + 8 ? 0x20 : header[at]!;
  }
  return sum;
}

/** Zeros that fill the last block of a file of this size. */
export const tarPadding = (size: number): Uint8Array => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

/** What stands at the end of an archive. */
export const TAR_END = new Uint8Array(2 * BLOCK);

/** The file whose header stands at an offset; undefined when there is none. */
export function tarEntryAt(source: ByteSource, offset: number): TarEntry | undefined {
  const header = Buffer.from(source.read(offset, BLOCK));
  if (header.length < BLOCK || header.toString('latin1', AT.magic, AT.magic + MAGIC.length) !== MAGIC) return undefined;
  const text = (at: number, length: number): string => header.toString('latin1', at, at + length).replace(/\0.*$/s, '');
  if (Number.parseInt(text(AT.checksum, 8), 8) !== checksumOf(header)) return undefined;
  const size = /^[0-7]{1,11}$/.test(text(AT.size, 12)) ? Number.parseInt(text(AT.size, 12), 8) : -1;
  if (text(AT.type, 1) !== PLAIN_FILE || size < 0 || offset + BLOCK + size > source.size) return undefined;
  return { name: text(AT.name, LONGEST_NAME), offset: offset + BLOCK, size };
}

/** The files of an archive, from its beginning as far as it is one. */
export function tarEntries(source: ByteSource): TarEntry[] {
  const entries: TarEntry[] = [];
  let entry = tarEntryAt(source, 0);
  while (entry !== undefined && entries.length < MOST_FILES) {
    entries.push(entry);
    entry = tarEntryAt(source, entry.offset + entry.size + tarPadding(entry.size).length);
  }
  return entries;
}
