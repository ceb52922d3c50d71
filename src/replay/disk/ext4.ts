/** File systems of ext2 to ext4 on a disk, found by what lies at their beginnings. */
import { SECTOR } from '../../base/units.ts';
import type { SparseBytes } from '../../memory/sparse.ts';
import { readBytes } from './difference.ts';

/** One of them. */
export interface FoundExt4 {
  /** Where it begins on the disk, in bytes. */
  readonly offset: number;
  readonly blockSize: number;
}

const SUPERBLOCK = { at: 1024, bytes: 1024, logBlockSize: 24, magic: 56 } as const;
const MAGIC = 0xef53;
const LARGEST_LOG = 6;

/** On the disk itself, or in the partitions of an MBR or a GPT. */
export const ext4On = (content: SparseBytes): FoundExt4[] =>
  [0, ...partitionsOf(content)].flatMap((offset) => ext4At(content, offset) ?? []);

function ext4At(content: SparseBytes, offset: number): FoundExt4 | undefined {
  const block = viewOf(content, offset + SUPERBLOCK.at, SUPERBLOCK.bytes);
  if (block === undefined || block.getUint16(SUPERBLOCK.magic, true) !== MAGIC) return undefined;
  const log = block.getUint32(SUPERBLOCK.logBlockSize, true);
  return log > LARGEST_LOG ? undefined : { offset, blockSize: 1024 << log };
}

function viewOf(content: SparseBytes, offset: number, length: number): DataView | undefined {
  if (offset < 0 || offset + length > content.size) return undefined;
  return new DataView(readBytes(content, offset, length).buffer);
}

const MBR = { first: 446, bytes: 16, count: 4, type: 4, start: 8, signature: 510, protective: 0xee } as const;

function partitionsOf(content: SparseBytes): number[] {
  const mbr = viewOf(content, 0, SECTOR);
  if (mbr === undefined || mbr.getUint16(MBR.signature, true) !== 0xaa55) return [];
  const entries = Array.from({ length: MBR.count }, (_, at) => {
    const entry = MBR.first + at * MBR.bytes;
    return { type: mbr.getUint8(entry + MBR.type), start: mbr.getUint32(entry + MBR.start, true) };
  });
  if (entries.some(({ type }) => type === MBR.protective)) return guidPartitionsOf(content);
  return entries.filter(({ start }) => start > 0).map(({ start }) => start * SECTOR);
}

/** UEFI 2.10, 5.3. */
const GPT = { signature: 0x5452_4150_2049_4645n, entries: 72, count: 80, bytes: 84, start: 32, most: 128 } as const;

function guidPartitionsOf(content: SparseBytes): number[] {
  const header = viewOf(content, SECTOR, SECTOR);
  if (header === undefined || header.getBigUint64(0, true) !== GPT.signature) return [];
  const bytes = header.getUint32(GPT.bytes, true);
  const count = Math.min(GPT.most, header.getUint32(GPT.count, true));
  const from = Number(header.getBigUint64(GPT.entries, true)) * SECTOR;
  return Array.from({ length: count }, (_, at) => {
    const entry = viewOf(content, from + at * bytes, GPT.start + 8);
    return entry === undefined ? 0 : Number(entry.getBigUint64(GPT.start, true)) * SECTOR;
  }).filter((offset) => offset > 0);
}
