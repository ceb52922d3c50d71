import { base64, fromBase64 } from '../../base/bytes.ts';
import { fileName } from '../../base/file-name.ts';
import { Problem } from '../../base/problem.ts';
import type { ImageIdentity } from '../../replay/trace/header.ts';
import { type ImagePart, isMultiboot, loaderParts } from '../../vmm/index.ts';
import type { ImageRole, World } from '../world.ts';
import { isModule, modulesOf } from './modules.ts';

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
 * spelled, or for its kernel the name given. What is the initrd of other kernels lists the modules of a multiboot one.
 */
export function loadImages({ images: files }: Pick<World, 'images'>, paths: RolePaths, kernelName?: string): Images {
  const images = new Map<ImageRole, Image>();
  const load = (role: ImageRole, path: string | undefined, name?: string): void => {
    if (path === undefined) return;
    const bytes = files.read(role, path);
    if (bytes.length === 0) throw new Problem(`Cannot use ${path} as ${role}: it is empty.`);
    images.set(role, { name: name ?? fileName(path), path, bytes });
  };
  load('bios', paths.bios);
  load('option-rom', paths['option-rom']);
  load('kernel', paths.kernel, kernelName);
  const kernel = images.get('kernel');
  if (paths.initrd === undefined || kernel === undefined || !isMultiboot(kernel)) load('initrd', paths.initrd);
  else for (const { role, path, name } of modulesOf(paths.initrd)) load(role, path, name);
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

/** The very images a trace was recorded with, found again by content. */
export function recordedImages(
  { images: files }: Pick<World, 'images'>,
  trace: string,
  recorded: readonly ImageIdentity[],
  paths: Readonly<Record<string, string>>,
  given: RolePaths,
): Images {
  const images = new Map<ImageRole, Image>();
  const named = givenByRole(recorded, given);
  for (const identity of recorded) {
    const role = identity.role as ImageRole;
    const search = { trace, recorded: paths[role] ?? identity.name, given: named[role] };
    images.set(role, { name: identity.name, ...files.find(identity, search) });
  }
  return images;
}

/** Several modules are given as they were to the run, as one list. */
function givenByRole(recorded: readonly ImageIdentity[], given: RolePaths): RolePaths {
  if (given.initrd === undefined || !recorded.some(({ role }) => isModule(role))) return given;
  return { ...given, ...Object.fromEntries(modulesOf(given.initrd).map(({ role, path }) => [role, path])) };
}
