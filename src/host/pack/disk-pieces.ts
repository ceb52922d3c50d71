/** Of a disk's image a pack holds the blocks that the run and its forks read, in pieces. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { Problem, shortly } from '../../base/problem.ts';
import { BLOCK, type ImageFile } from '../../block/image-file.ts';
import { sourceFile } from '../trace-source.ts';
import { BLOCKS_PER_PIECE, type Member, nameInPack } from './manifest.ts';
import { isPack, openPack, type OpenedPack } from './opened-pack.ts';

/** A piece and its bytes as they are packed. */
export interface PackedPiece {
  readonly member: Member;
  readonly stored: Uint8Array;
}

/** The blocks of an image, each once. */
export function* piecesOfDisk(
  image: number,
  name: string,
  file: ImageFile,
  blocks: readonly number[],
): Generator<PackedPiece> {
  const all = [...new Set(blocks)].sort((a, b) => a - b);
  for (let from = 0; from < all.length; from += BLOCKS_PER_PIECE) {
    const part = all.slice(from, from + BLOCKS_PER_PIECE);
    // The last block of a file may be shorter: what is missing is zeroes.
    const bytes = new Uint8Array(part.length * BLOCK);
    for (const [at, block] of part.entries()) bytes.set(file.block(block), at * BLOCK);
    const member: Member = {
      member: `disks/${image}-${from / BLOCKS_PER_PIECE}.gz`,
      holds: 'disk',
      name: nameInPack(name),
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      compression: 'gzip',
      disk: { image, size: file.size, blocks: part },
    };
    yield { member, stored: gzipSync(bytes) };
  }
}

/** Pieces that are kept inflated. */
const PIECES_KEPT = 8;

/** An image of which a pack holds some blocks; undefined: what is at the path is no pack, or holds none of it. */
export function diskInPack(path: string, image: number, name: string): ImageFile | undefined {
  const members = withPack(path, ({ manifest }) => manifest.members.filter(({ disk }) => disk?.image === image)) ?? [];
  const size = members[0]?.disk?.size;
  if (size === undefined) return undefined;
  const pieces = new Map(members.flatMap((piece) => piece.disk!.blocks.map((block) => [block, piece] as const)));
  const kept = new Map<Member, ReadonlyMap<number, Uint8Array>>();
  return {
    name: `${name} in ${path}`,
    size,
    block(number) {
      const piece = pieces.get(number);
      if (piece === undefined) throw notHeld(path, name, number);
      const blocks = kept.get(piece) ?? inflatedPiece(path, piece);
      kept.delete(piece);
      kept.set(piece, blocks);
      if (kept.size > PIECES_KEPT) kept.delete(kept.keys().next().value as Member);
      return blocks.get(number) as Uint8Array;
    },
  };
}

const notHeld = (path: string, name: string, block: number): Problem =>
  new Problem(
    `The pack ${shortly(path)} holds of ${shortly(name)} what the recorded run read, and not its block at offset ` +
      `${block * BLOCK}: name the image with --image.`,
  );

/** Blocks of a piece by their numbers. */
function inflatedPiece(path: string, piece: Member): ReadonlyMap<number, Uint8Array> {
  const { size, blocks } = piece.disk!;
  const bytes = withPack(path, (pack) => pack.bytes(piece));
  if (bytes === undefined) throw new Problem(`${shortly(path)} is no pack any more.`);
  return new Map(
    blocks.map((block, at) => [block, bytes.subarray(at * BLOCK, at * BLOCK + Math.min(BLOCK, size - block * BLOCK))]),
  );
}

function withPack<T>(path: string, see: (pack: OpenedPack) => T): T | undefined {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const file = sourceFile(path);
  try {
    return isPack(file) ? see(openPack(file)) : undefined;
  } finally {
    file.close();
  }
}
