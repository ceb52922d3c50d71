import { basename } from 'node:path';
import * as z from 'zod';
import { BLOCK } from '../../block/image-file.ts';
import { MOST } from '../../vmm/limits.ts';

/** The first file of a pack: what the others are. */
export const MANIFEST_NAME = 'retrovisor-pack.json';

/** More is no manifest of a pack. */
export const LONGEST_MANIFEST = 2 ** 20;

/** Names that mean nothing to a file system: no folders, no hidden files, nothing a terminal would obey. */
const FILE_NAME = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,79}$/);

const BYTES = z.number().int().min(0);
const SHA256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Blocks of one member. */
export const BLOCKS_PER_PIECE = 64;

/** What a piece of a disk's image is of. */
const DISK = z
  .object({
    /** Which of the trace's images, in their order, and how long it is. */
    image: z.number().int().min(0).max(MOST.drives),
    size: z.number().int().min(1).max(MOST.driveBytes),
    /** Which blocks of it, in the order of their bytes. */
    blocks: z.array(z.number().int().min(0)).min(1).max(BLOCKS_PER_PIECE).readonly(),
  })
  .readonly()
  .refine(({ size, blocks }) => blocks.every((block) => block * BLOCK < size), 'a block lies outside its image');

const MEMBER = z
  .object({
    /** Its name in the archive. */
    member: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,99}$/),
    holds: z.enum(['trace', 'checkpoints', 'image', 'fork', 'disk']),
    /** Its name once it is unpacked. */
    name: FILE_NAME,
    /** As it is, not as it is packed. */
    bytes: BYTES,
    sha256: SHA256,
    compression: z.enum(['none', 'gzip']),
    /** Of what holds a piece of a disk. */
    disk: DISK.optional(),
  })
  .readonly()
  .refine(
    ({ holds, disk, bytes }) => (holds === 'disk' ? bytes === (disk?.blocks.length ?? 0) * BLOCK : disk === undefined),
    'is no piece of a disk',
  );

export const MANIFEST = z
  .object({
    format: z.literal('retrovisor-pack'),
    version: z.literal(1),
    members: z.array(MEMBER).max(10_000).readonly(),
  })
  .readonly();

export type Member = z.infer<typeof MEMBER>;
export type Manifest = z.infer<typeof MANIFEST>;

const LONGEST = 80;

/** The name a file has in a pack. */
export function nameInPack(path: string): string {
  const name = basename(path)
    .replaceAll(/[^A-Za-z0-9_.+-]/g, '_')
    .replace(/^[.+-]+/, '_')
    .slice(-LONGEST);
  return /^[A-Za-z0-9_]/.test(name) ? name : `_${name.slice(1)}`;
}
