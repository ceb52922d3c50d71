import { base64, fromBase64 } from '../../base/bytes.ts';
import { fileName } from '../../base/file-name.ts';
import { Problem, shortly } from '../../base/problem.ts';
import type { ImageIdentity } from '../../replay/trace/header.ts';
import { type ImagePart, loaderParts } from '../../vmm/index.ts';
import type { ImageRole, World } from '../world.ts';

/** An image read from a file. */
export interface Image {
  /** What the guest may see of its name (argv[0] of a multiboot kernel). */
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

export type Images = ReadonlyMap<ImageRole, Image>;

/** How the path of our own guest begins, wherever the package lies. */
export const OWN_GUEST = 'own:';

/** The kernel a run starts when it is given nothing: our own guest. */
export const OWN_GUEST_PATH = `${OWN_GUEST}guests/tour/tour.elf`;

/** Paths by role. */
export type RolePaths = Readonly<Partial<Record<ImageRole, string | undefined>>>;

/**
 * Read the images a run names, by role. The guest sees the base name of each, wherever it lies and however its path is
 * spelled, or for its kernel the name given.
 */
export function loadImages({ images: files }: Pick<World, 'images'>, paths: RolePaths, kernelName?: string): Images {
  const images = new Map<ImageRole, Image>();
  for (const role of ['bios', 'option-rom', 'kernel', 'initrd'] as const) {
    const path = paths[role];
    if (path === undefined) continue;
    const bytes = files.read(role, path);
    if (bytes.length === 0) throw new Problem(`Cannot use ${path} as ${role}: it is empty.`);
    const name = role === 'kernel' ? (kernelName ?? fileName(path)) : fileName(path);
    images.set(role, { name, path, bytes });
  }
  return images;
}

/** What a trace's header keeps of the images. */
export function identities({ sha256 }: Pick<World, 'sha256'>, images: Images): ImageIdentity[] {
  return [...images].map(([role, image]) => ({
    role,
    name: image.name,
    sha256: sha256(image.bytes),
    bytes: image.bytes.length,
    parts: partsOf(role, image).map(({ at, bytes }) => ({ at, bytes: base64(bytes) })),
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
    for (const part of parts) bytes.set(fromBase64(part.bytes), part.at);
    images.set(role as ImageRole, { name, path: name, bytes });
  }
  return images;
}

/** Where the images of a trace lie now, when they are no longer where they were. */
export interface ImagePaths {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly bios?: string;
  readonly optionRom?: string;
  /** Files and folders among which they are, found by their content. */
  readonly image?: readonly string[];
}

/** Whether somebody says where any image is. */
export const namesImages = ({ kernel, initrd, bios, optionRom, image = [] }: ImagePaths): boolean =>
  image.length > 0 || [kernel, initrd, bios, optionRom].some((path) => path !== undefined);

/** The very images a trace was recorded with, found again by content. All that are missing are named at once. */
export function recordedImages(
  { images: files }: Pick<World, 'images'>,
  trace: string,
  recorded: readonly ImageIdentity[],
  paths: Readonly<Record<string, string>>,
  { optionRom, image: among = [], ...named }: ImagePaths,
): Images {
  const given: RolePaths = { ...named, 'option-rom': optionRom };
  const images = new Map<ImageRole, Image>();
  const missing: string[] = [];
  for (const identity of recorded) {
    const role = identity.role as ImageRole;
    const found = files.find(identity, { trace, recorded: paths[role] ?? identity.name, given: given[role], among });
    if (typeof found === 'string') missing.push(`${describeImage(identity)}: ${found}`);
    else images.set(role, { name: identity.name, ...found });
  }
  if (missing.length === 0) return images;
  throw new Problem(
    `${missing.length} of ${recorded.length} images of ${trace} ${missing.length === 1 ? 'is' : 'are'} missing: ` +
      `${missing.join('; ')}. ${files.hint}`,
  );
}

/** An image by what it was called and what it is known by. */
const describeImage = ({ role, name, bytes, sha256 }: ImageIdentity): string =>
  `the ${role} ${shortly(name)} (${bytes} bytes, sha256 ${sha256.slice(0, 16)}...)`;
