import { fileName } from '../../base/file-name.ts';
import { Problem, shortly } from '../../base/problem.ts';
import { FORMATS, probe } from '../../block/formats.ts';
import type { ImageFile } from '../../block/image-file.ts';
import { type BlockDigest, differsAt, ReadBlocks } from '../../block/read-blocks.ts';
import type { Base } from '../../memory/sparse.ts';
import { MOST } from '../../vmm/limits.ts';
import type { World } from '../world.ts';
import type { DriveDescription } from './machine-description.ts';
import type { DriveOption } from './run-options.ts';

/** The images of a machine's drives, opened. */
export interface Disks {
  /** What drives hold before anything is written, by `id`. */
  readonly bases: ReadonlyMap<string, Base>;
  /** The images, in the order of their drives. */
  readonly files: readonly ImageFile[];
  /** What is read of them, by their places. */
  readonly blocks: ReadBlocks;
}

/** The same of a run that begins. */
export interface NewDisks extends Disks {
  readonly drives: readonly DriveDescription[];
  /** What a person should know, as sentences. */
  readonly warnings: readonly string[];
}

/** Open the images that drives name. Throws a Problem for one that is none, or that two drives have. */
export function openDisks({ images, files, sha256 }: World, drives: readonly DriveOption[]): NewDisks {
  const blocks = new ReadBlocks(sha256);
  const opened = drives.map(({ path, format, ...drive }, at) => {
    const twin = drives.slice(0, at).find((other) => files.areSame(other.path, path));
    if (twin !== undefined) {
      throw new Problem(`${shortly(path)} is the image of two drives, ${twin.id} and ${drive.id}: make a copy of it.`);
    }
    const file = blocks.watched(at, images.openDisk(path));
    if (file.size > MOST.driveBytes)
      throw new Problem(`Cannot use ${shortly(path)} as a disk: it is larger than 2 TiB.`);
    const known = format ?? probe(file);
    const { sectors, base, warning } = FORMATS[known].open(file);
    const description = { ...described(drive), format: known, name: fileName(path), bytes: file.size, sectors };
    return { description, base, file, warning };
  });
  if (opened.reduce((sum, { file }) => sum + file.size, 0) > MOST.drivesBytes) {
    throw new Problem('The disks of a machine are larger than 4 TiB together: leave some out.');
  }
  return {
    drives: opened.map(({ description }) => description),
    bases: new Map(opened.map(({ description, base }): [string, Base] => [description.id, base])),
    files: opened.map(({ file }) => file),
    blocks,
    warnings: opened.flatMap(({ warning }) => (warning === undefined ? [] : [warning])),
  };
}

/** What the command line leaves open is what QEMU does. */
const described = (drive: Omit<DriveOption, 'path' | 'format'>) => ({
  noFlush: false,
  discards: false,
  ...drive,
});

/** A trace whose images are looked for. */
export interface DiskSearch {
  readonly trace: string;
  readonly drives: readonly DriveDescription[];
  /** Where they were, by role. */
  readonly paths: Readonly<Record<string, string>>;
  /** Blocks of them that the run read. */
  readonly blocks: readonly BlockDigest[];
  /** Files and folders somebody names among which they may be. */
  readonly among: readonly string[];
}

/** The role in which a drive's image is kept among a trace's paths. */
export const diskRole = (id: string): string => `drive:${id}`;

/** The very images a trace was recorded with, by the blocks it read. All that are missing are named at once. */
export function recordedDisks(
  { images, sha256 }: Pick<World, 'images' | 'sha256'>,
  { trace, drives, paths, blocks: known, among }: DiskSearch,
): Disks {
  const blocks = new ReadBlocks(sha256, known);
  const bases = new Map<string, Base>();
  const files: ImageFile[] = [];
  const missing: string[] = [];
  for (const [at, { id, name, bytes, format }] of drives.entries()) {
    const unlike = (file: ImageFile): string | undefined => {
      const block = blocks.firstDifference(at, file);
      return block === undefined ? undefined : differsAt(block);
    };
    const search = { trace, recorded: paths[diskRole(id)] ?? name, given: undefined, among };
    const found = images.findDisk({ id, image: at, name, bytes }, search, unlike);
    if (typeof found === 'string') missing.push(`that of ${id}, ${shortly(name)} (${bytes} bytes): ${found}`);
    else {
      const file = blocks.watched(at, found);
      files.push(file);
      bases.set(id, FORMATS[format].open(file).base);
    }
  }
  if (missing.length === 0) return { bases, files, blocks };
  const [count, are] = [`${missing.length} of ${drives.length}`, missing.length === 1 ? 'is' : 'are'];
  throw new Problem(`${count} disk images of ${trace} ${are} missing: ${missing.join('; ')}. ${images.hint}`);
}
