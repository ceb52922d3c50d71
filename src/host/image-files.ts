import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, type Stats, statSync } from 'node:fs';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem, shortly } from '../base/problem.ts';
import type { ImageFile } from '../block/image-file.ts';
import type { ImageIdentity } from '../replay/trace/header.ts';
import { isModule } from '../runs/machine/modules.ts';
import { isNetworkFile } from '../runs/machine/network-roles.ts';
import { isRom } from '../runs/machine/rom-roles.ts';
import {
  type DiskIdentity,
  type FoundImage,
  type ImageFiles,
  type ImageRole,
  type ImageSearch,
  OWN_GUEST,
} from '../runs/world.ts';
import { openDiskFile } from './disk-files.ts';
import { readImage, worldProblem } from './files.ts';
import { commitInto, rolledBack } from './image-commit.ts';
import { diskInPack } from './pack/disk-pieces.ts';
import { isPack, openPack } from './pack/opened-pack.ts';
import { sourceFile } from './trace-source.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

const PURPOSES: Readonly<Record<string, string>> = {
  kernel: 'read the kernel',
  initrd: 'read the initrd',
  bios: 'read the firmware',
  'option-rom': 'read the option ROM',
  capture: 'read the capture',
  world: 'read the world',
  machines: 'read the file of machines',
};

function purposeOf(role: ImageRole): string {
  if (isModule(role)) return 'read the module';
  if (isRom(role)) return 'read the expansion ROM';
  if (isNetworkFile(role)) return 'read the file to serve';
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

type NameAndSize = Pick<ImageIdentity, 'name' | 'bytes'>;

/** Files that may be an image: the folder's own file of that name first, then any of its size. */
function* candidatesIn(folder: string, { name, bytes }: NameAndSize): Generator<string> {
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
function* candidates(identity: NameAndSize, { trace, recorded, among }: ImageSearch): Generator<string> {
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

/** The image of a disk, by its size and whatever else a trace knows of it. */
function findDisk(
  { id, image, name, bytes }: DiskIdentity,
  search: ImageSearch,
  unlike: (file: ImageFile) => string | undefined,
): ImageFile | string {
  // What a pack holds is enough to replay the run; where it goes elsewhere, an image that is named has the rest.
  const packed = search.among.length === 0 ? diskInPack(search.trace, image, name) : undefined;
  if (packed !== undefined) return packed;
  const seen = new Set<string>();
  let why: string | undefined;
  for (const path of candidates({ name, bytes }, search)) {
    const real = resolve(path);
    const stat = seen.has(real) ? undefined : statOf(path);
    seen.add(real);
    if (stat?.isFile() !== true) continue;
    const file = stat.size === bytes ? openDiskFile(path) : undefined;
    const other = file === undefined ? `it has ${stat.size} bytes` : unlike(file);
    if (file !== undefined && other === undefined) return file;
    why ??= `${path} is not what ${id} was recorded with: ${other}`;
  }
  return why ?? `it is not at ${search.recorded}`;
}

/** Files of a folder, and of those below it. */
function filesIn(folder: string, before = ''): { readonly name: string; readonly path: string }[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    throw worldProblem('serve the files of', folder, error);
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesIn(path, `${before}${entry.name}/`);
    return entry.isFile() ? [{ name: `${before}${entry.name}`, path }] : [];
  });
}

function list(folder: string, beside: string): readonly { readonly name: string; readonly path: string }[] {
  const files = filesIn(beside === '' ? folder : resolve(dirname(beside), folder));
  if (files.length > MOST_FILES) throw new Problem(`Cannot serve ${folder}: it has more than ${MOST_FILES} files.`);
  return files.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Images as files. */
export const IMAGE_FILES: ImageFiles = {
  read: (role, path) => readImage(purposeOf(role), onDisk(path)),
  list,
  find(identity, search) {
    refuseMissing(search.among);
    return find(identity, search);
  },
  openDisk(path) {
    if (path.startsWith(OWN_GUEST)) return { ...openDiskFile(onDisk(path)), name: path };
    rolledBack(path);
    return openDiskFile(path);
  },
  findDisk(identity, search, unlike) {
    refuseMissing(search.among);
    return findDisk(identity, search, unlike);
  },
  commitDisk(path, changes, resized) {
    if (path.startsWith(OWN_GUEST))
      throw new Problem('The disk of our own guest stays as it is: --commit takes a copy.');
    commitInto(path, changes, resized);
  },
  hint: `Name files or folders that hold them with --image, lay them beside the trace, or name folders in ${FOLDERS}.`,
};
