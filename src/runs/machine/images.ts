import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../base/problem.ts';
import type { ImageIdentity } from '../../replay/trace/header.ts';
import { type ImagePart, loaderParts } from '../../vmm/index.ts';
import { readImage } from '../../host/files.ts';

/** The parts an image can play in a machine. */
export type ImageRole = 'kernel' | 'initrd' | 'bios' | 'option-rom';

/** An image read from a file. */
export interface Image {
  /** What the guest may see of its name (argv[0] of a multiboot kernel). */
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

export type Images = ReadonlyMap<ImageRole, Image>;

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** How the path of our own guest is written, wherever the package lies. */
const OWN_GUEST = 'own:';

const PURPOSES: Readonly<Record<ImageRole, string>> = {
  kernel: 'read the kernel',
  initrd: 'read the initrd',
  bios: 'read the firmware',
  'option-rom': 'read the option ROM',
};

/** The kernel a run starts when it is given nothing: our own guest. */
export const OWN_GUEST_PATH = `${OWN_GUEST}guests/tour/tour.elf`;

const onDisk = (path: string): string => (path.startsWith(OWN_GUEST) ? join(ROOT, path.slice(OWN_GUEST.length)) : path);

/**
 * Read the images a run names, by role. The guest sees the base name of each, wherever it lies and however its path is
 * spelled, or for its kernel the name given.
 */
export function loadImages(
  paths: Readonly<Partial<Record<ImageRole, string | undefined>>>,
  kernelName?: string,
): Images {
  const images = new Map<ImageRole, Image>();
  for (const role of ['bios', 'option-rom', 'kernel', 'initrd'] as const) {
    const path = paths[role];
    if (path === undefined) continue;
    const bytes = readImage(PURPOSES[role], onDisk(path));
    if (bytes.length === 0) throw new Problem(`Cannot use ${path} as ${role}: it is empty.`);
    const name = role === 'kernel' ? (kernelName ?? basename(path)) : basename(path);
    images.set(role, { name, path, bytes });
  }
  return images;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What a trace's header keeps of the images. */
export function identities(images: Images): ImageIdentity[] {
  return [...images].map(([role, image]) => ({
    role,
    name: image.name,
    sha256: sha256(image.bytes),
    bytes: image.bytes.length,
    parts: partsOf(role, image).map(({ at, bytes }) => ({ at, bytes: Buffer.from(bytes).toString('base64') })),
  }));
}

/** A loader looks into a kernel, the firmware reads an option ROM; of the others only the size counts. */
function partsOf(role: ImageRole, image: Image): readonly ImagePart[] {
  if (role === 'kernel') return loaderParts(image);
  return role === 'option-rom' ? [{ at: 0, bytes: image.bytes }] : [];
}

/**
 * Images of the recorded sizes with the bytes the trace itself keeps and zeros elsewhere: enough for a rerun, which
 * knows nothing of guest memory. `undefined`: the trace is older and keeps none.
 */
export function outlinedImages(recorded: readonly ImageIdentity[]): Images | undefined {
  const images = new Map<ImageRole, Image>();
  for (const { role, name, bytes: size, parts } of recorded) {
    if (parts === undefined) return undefined;
    const bytes = new Uint8Array(size);
    for (const part of parts) bytes.set(Buffer.from(part.bytes, 'base64'), part.at);
    images.set(role as ImageRole, { name, path: name, bytes });
  }
  return images;
}

/** Where to look for a recorded image, in order: where somebody says, where it was, beside the trace, in .guests. */
function places(recorded: string, given: string | undefined, trace: string): string[] {
  if (given !== undefined) return [given];
  return [onDisk(recorded), join(dirname(trace), basename(recorded)), join(ROOT, '.guests', basename(recorded))];
}

/** The very images a trace was recorded with, found again and checked by content. */
export function recordedImages(
  trace: string,
  recorded: readonly ImageIdentity[],
  paths: Readonly<Record<string, string>>,
  given: Readonly<Partial<Record<ImageRole, string | undefined>>>,
): Images {
  const images = new Map<ImageRole, Image>();
  for (const identity of recorded) {
    const role = identity.role as ImageRole;
    const candidates = places(paths[role] ?? identity.name, given[role], trace);
    const found = candidates.filter((path) => existsSync(path));
    const right = found.map((path) => ({ path, bytes: readImage(PURPOSES[role], path) }));
    const image = right.find(({ bytes }) => sha256(bytes) === identity.sha256);
    if (image === undefined) throw new Problem(missing(identity, found, candidates[0] as string));
    images.set(role, { name: identity.name, path: image.path, bytes: image.bytes });
  }
  return images;
}

function missing({ role, sha256: digest }: ImageIdentity, found: readonly string[], first: string): string {
  const hint = `Name the right file with --${role}.`;
  if (found.length === 0) return `The ${role} of this trace is not at ${first}. ${hint}`;
  return `${found[0]} is not the ${role} this trace was recorded with (sha256 ${digest.slice(0, 16)}...). ${hint}`;
}
