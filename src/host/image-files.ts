import { createHash } from 'node:crypto';
import { readdirSync, type Stats, statSync } from 'node:fs';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem, shortly } from '../base/problem.ts';
import type { ImageIdentity } from '../replay/trace/header.ts';
import { isModule } from '../runs/machine/modules.ts';
import { type FoundImage, type ImageFiles, type ImageRole, type ImageSearch, OWN_GUEST } from '../runs/world.ts';
import { readImage, worldProblem } from './files.ts';
import { isPack, openPack } from './pack/opened-pack.ts';
import { sourceFile } from './trace-source.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

const PURPOSES: Readonly<Record<string, string>> = {
  kernel: 'read the kernel',
  initrd: 'read the initrd',
  bios: 'read the firmware',
  'option-rom': 'read the option ROM',
};

function purposeOf(role: ImageRole): string {
  if (isModule(role)) return 'read the module';
  return PURPOSES[role] ?? 'read the file of -fw_cfg';
}
/** Folders to look in besides, with the system's separator between them. */
const FOLDERS = 'RETROVISOR_IMAGES';

/** Files of a folder that are looked at. */
const MOST_FILES = 10_000;

const onDisk = (path: string): string => (path.startsWith(OWN_GUEST) ? join(ROOT, path.slice(OWN_GUEST.length)) : path);

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
};

/**
 * A file's bytes, if it is a regular file of that many: a path out of a trace may name anything, and nothing else is
 * opened.
 */
function bytesOfSize(path: string, size: number): Uint8Array | undefined {
  const stat = statOf(path);
  if (stat === undefined || !stat.isFile() || stat.size !== size) return undefined;
  try {
    const bytes = readImage('read the image', path, size);
    return bytes.length === size ? bytes : undefined;
  } catch (problem) {
    if (problem instanceof Problem) return undefined;
    throw problem;
  }
}

/** Files that may be an image: the folder's own file of that name first, then any of its size. */
function* candidatesIn(folder: string, { name, bytes }: ImageIdentity): Generator<string> {
  yield join(folder, basename(name));
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return;
  }
  for (const each of names.slice(0, MOST_FILES)) {
    const path = join(folder, each);
    if (statOf(path)?.size === bytes) yield path;
  }
}

/** Where to look, in order: where somebody says, beside the trace, where it was, in folders that are known. */
function* candidates(identity: ImageIdentity, { trace, recorded, among }: ImageSearch): Generator<string> {
  for (const path of among) {
    if (statOf(path)?.isDirectory() === true) yield* candidatesIn(path, identity);
    else yield path;
  }
  yield join(dirname(trace), basename(recorded));
  yield onDisk(recorded);
  const folders = (process.env[FOLDERS] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [dirname(trace), ...folders, join(ROOT, '.guests')]) yield* candidatesIn(folder, identity);
}

/** Where somebody says a file is that image, it is that file. */
function givenImage(identity: ImageIdentity, given: string): FoundImage | string {
  const stat = statOf(given);
  if (stat === undefined) return `it is not at ${shortly(given)}`;
  const bytes = bytesOfSize(given, identity.bytes);
  return bytes !== undefined && sha256(bytes) === identity.sha256 ? { path: given, bytes } : unlike(given, identity);
}

const unlike = (path: string, { role }: ImageIdentity): string =>
  `${shortly(path)} is not the ${role} this trace was recorded with`;

/** The image in the pack its trace lies in. */
function inPack({ sha256: wanted, bytes: size }: ImageIdentity, trace: string): FoundImage | undefined {
  if (statOf(trace)?.isFile() !== true) return undefined;
  const file = sourceFile(trace);
  try {
    if (!isPack(file)) return undefined;
    const pack = openPack(file);
    const member = pack.manifest.members.find(
      ({ holds, sha256: digest, bytes }) => holds === 'image' && digest === wanted && bytes === size,
    );
    if (member === undefined) return undefined;
    const bytes = pack.bytes(member);
    return sha256(bytes) === wanted ? { path: member.name, bytes } : undefined;
  } finally {
    file.close();
  }
}

function find(identity: ImageIdentity, search: ImageSearch): FoundImage | string {
  if (search.given !== undefined) return givenImage(identity, search.given);
  const packed = inPack(identity, search.trace);
  if (packed !== undefined) return packed;
  const seen = new Set<string>();
  for (const path of candidates(identity, search)) {
    const real = resolve(path);
    if (seen.has(real)) continue;
    seen.add(real);
    const bytes = bytesOfSize(path, identity.bytes);
    if (bytes !== undefined && sha256(bytes) === identity.sha256) return { path, bytes };
  }
  const recorded = onDisk(search.recorded);
  return statOf(recorded) === undefined ? `it is not at ${shortly(recorded)}` : unlike(recorded, identity);
}

/** Somebody names a folder or a file that is not there: said before anything is looked for. */
function refuseMissing(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      statSync(path);
    } catch (error) {
      throw worldProblem('look for images in', path, error);
    }
  }
}

/** Images as files. */
export const IMAGE_FILES: ImageFiles = {
  read: (role, path) => readImage(purposeOf(role), onDisk(path)),
  find(identity, search) {
    refuseMissing(search.among);
    return find(identity, search);
  },
  hint: `Name files or folders that hold them with --image, lay them beside the trace, or name folders in ${FOLDERS}.`,
};
