import { base64, fromBase64 } from '../../base/bytes.ts';
import { fileName } from '../../base/file-name.ts';
import { Problem, shortly } from '../../base/problem.ts';
import type { ImageIdentity } from '../../replay/trace/header.ts';
import { MOST } from '../../vmm/limits.ts';
import { type ImagePart, isMultiboot, loaderParts } from '../../vmm/index.ts';
import { type ImageRole, OWN_GUEST, type World } from '../world.ts';
import { isModule, modulesOf } from './modules.ts';
import { isNetworkFile } from './network-roles.ts';
import { isRom } from './rom-roles.ts';

/** An image read from a file. */
export interface Image {
  /** What the guest may see of its name (argv[0] of a multiboot kernel). */
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

export type Images = ReadonlyMap<ImageRole, Image>;

/** The kernel a run starts when it is given nothing: our own guest. */
export const OWN_GUEST_PATH = `${OWN_GUEST}guests/tour/tour.elf`;

/** Its disk, which also starts it by firmware. */
export const OWN_DISK_PATH = `${OWN_GUEST}guests/tour/disk.img`;

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
    if (role.startsWith('fw-cfg:')) checkFwCfg(path, bytes);
    else if (bytes.length === 0 && !isNetworkFile(role))
      throw new Problem(`Cannot use ${path} as ${role}: it is empty.`);
    images.set(role, { name: name ?? fileName(path), path, bytes });
  };
  const { bios, 'option-rom': optionRom, kernel: kernelPath, initrd, ...others } = paths;
  load('bios', bios);
  load('option-rom', optionRom);
  load('kernel', kernelPath, kernelName);
  const kernel = images.get('kernel');
  if (initrd === undefined || kernel === undefined || !isMultiboot(kernel)) load('initrd', initrd);
  else for (const { role, path, name } of modulesOf(initrd)) load(role, path, name);
  for (const [role, path] of Object.entries(others) as [ImageRole, string | undefined][]) load(role, path);
  return images;
}

/** A trace keeps every byte of it, and it may be empty. */
function checkFwCfg(path: string, bytes: Uint8Array): void {
  if (bytes.length <= MOST.fwCfgBytes) return;
  throw new Problem(`Cannot use ${path} for -fw_cfg: it has more than ${MOST.fwCfgBytes} bytes.`);
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

/** A loader looks into a kernel, firmware and guest read what fw_cfg has; of the others only the size counts. */
function partsOf(role: ImageRole, image: Image): readonly ImagePart[] {
  if (role === 'kernel') return loaderParts(image);
  const isKept = role === 'option-rom' || isRom(role) || role.startsWith('fw-cfg:');
  return isKept ? [{ at: 0, bytes: image.bytes }] : [];
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

/** An image of which the trace itself keeps every byte. */
function keptWhole(world: Pick<World, 'sha256'>, { role, name, parts = [], bytes: size, sha256 }: ImageIdentity) {
  if (!role.startsWith('fw-cfg:')) return undefined;
  const [part] = parts;
  const bytes = part?.at === 0 ? fromBase64(part.bytes) : undefined;
  const isWhole = bytes?.length === size && world.sha256(bytes) === sha256;
  return isWhole ? { name, path: name, bytes } : undefined;
}

/**
 * The very images a trace was recorded with: kept by it, or found again by content. All that are missing are
 * named at once.
 */
export function recordedImages(
  world: Pick<World, 'images' | 'sha256'>,
  trace: string,
  recorded: readonly ImageIdentity[],
  paths: Readonly<Record<string, string>>,
  { optionRom, image: among = [], ...named }: ImagePaths,
): Images {
  const given: RolePaths = { ...named, 'option-rom': optionRom };
  const images = new Map<ImageRole, Image>();
  const byRole = givenByRole(recorded, given);
  const missing: string[] = [];
  for (const identity of recorded) {
    const role = identity.role as ImageRole;
    const kept = byRole[role] === undefined ? keptWhole(world, identity) : undefined;
    const search = { trace, recorded: paths[role] ?? identity.name, given: byRole[role], among };
    const found = kept ?? world.images.find(identity, search);
    if (typeof found === 'string') missing.push(`${describeImage(identity)}: ${found}`);
    else images.set(role, { name: identity.name, path: found.path, bytes: found.bytes });
  }
  if (missing.length === 0) return images;
  throw new Problem(
    `${missing.length} of ${recorded.length} images of ${trace} ${missing.length === 1 ? 'is' : 'are'} missing: ` +
      `${missing.join('; ')}. ${world.images.hint}`,
  );
}

/** Several modules are given as they were to the run, as one list. */
function givenByRole(recorded: readonly ImageIdentity[], given: RolePaths): RolePaths {
  if (given.initrd === undefined || !recorded.some(({ role }) => isModule(role))) return given;
  return { ...given, ...Object.fromEntries(modulesOf(given.initrd).map(({ role, path }) => [role, path])) };
}
/** An image by what it was called and what it is known by. */
const describeImage = ({ role, name, bytes, sha256 }: ImageIdentity): string =>
  `the ${role} ${shortly(name)} (${bytes} bytes, sha256 ${sha256.slice(0, 16)}...)`;
