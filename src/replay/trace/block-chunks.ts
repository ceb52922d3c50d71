/** Lists of the image blocks a run has read: of each the number of its file, its own, and the SHA-256 of its bytes. */
import { ByteReader } from '../../base/byte-reader.ts';
import { fromHexadecimal, hexadecimal } from '../../base/bytes.ts';
import type { BlockDigest } from '../../block/read-blocks.ts';
import { byteWriter, writeBytes, writeVarint, written } from './bytes.ts';
import { contradiction } from './contradiction.ts';

/** Most blocks of one list. */
export const BLOCKS_PER_LIST = 2 ** 14;

/** Bytes of a SHA-256. */
const DIGEST = 32;

/** Most bytes of a list. */
export const LONGEST_BLOCK_LIST = BLOCKS_PER_LIST * (DIGEST + 16);

/** A list as a chunk holds it. */
export function blockList(blocks: readonly BlockDigest[]): Uint8Array {
  const out = byteWriter(blocks.length * (DIGEST + 8));
  for (const { file, block, sha256 } of blocks) {
    writeVarint(out, file);
    writeVarint(out, block);
    writeBytes(out, fromHexadecimal(sha256));
  }
  return written(out);
}

/** The blocks of lists that lie in a trace of so many bytes: digests cannot be packed into less. */
export function readBlockLists(lists: Iterable<Uint8Array>, traceBytes: number): BlockDigest[] {
  const blocks: BlockDigest[] = [];
  for (const list of lists) {
    const input = new ByteReader(list, 'the list of blocks');
    while (input.at < list.length) {
      blocks.push({ file: input.varint(), block: input.varint(), sha256: hexadecimal(input.take(DIGEST)) });
      if (blocks.length * DIGEST > traceBytes) throw contradiction('more blocks than a trace of its size can');
    }
  }
  return blocks;
}
