import { basename } from 'node:path';
import * as z from 'zod';

/** The first file of a pack: what the others are. */
export const MANIFEST_NAME = 'retrovisor-pack.json';

/** More is no manifest of a pack. */
export const LONGEST_MANIFEST = 2 ** 20;

/** Names that mean nothing to a file system: no folders, no hidden files, nothing a terminal would obey. */
const FILE_NAME = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,79}$/);

const BYTES = z.number().int().min(0);
const SHA256 = z.string().regex(/^[0-9a-f]{64}$/);

const MEMBER = z
  .object({
    /** Its name in the archive. */
    member: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,99}$/),
    holds: z.enum(['trace', 'checkpoints', 'image', 'fork']),
    /** Its name once it is unpacked. */
    name: FILE_NAME,
    /** As it is, not as it is packed. */
    bytes: BYTES,
    sha256: SHA256,
    compression: z.enum(['none', 'gzip']),
  })
  .readonly();

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
