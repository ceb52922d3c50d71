/** Files that `-netdev user` serves, by TFTP or by hosts of a world: each is an image of the run. */
import { Problem, shortly } from '../../base/problem.ts';
import type { ImageIdentity } from '../../replay/trace/header.ts';
import type { NetdevConfig } from '../../vmm/config.ts';
import type { MachineOptions } from '../../vmm/options.ts';
import { backendName } from '../../vmm/pc/net-parts.ts';
import type { ImageFiles, NetworkFileRole, World } from '../world.ts';
import type { Images } from './images.ts';
import { networkFileRole } from './network-roles.ts';
import { readWorld } from './written-file.ts';
import type { WrittenWorld } from './world-schema.ts';

/** What each backend serves. */
export interface NetworkFiles {
  /** Paths by role, for `loadImages`. */
  readonly paths: readonly (readonly [NetworkFileRole, string])[];
  /** The backends, once the files have been read: a trace keeps this. */
  described(images: readonly ImageIdentity[]): readonly NetdevConfig[];
}

/** A folder of a backend's: where it is, and what its files are called with before their names below it. */
interface Folder {
  readonly mark: string;
  readonly files: readonly { readonly name: string; readonly path: string }[];
}

interface Serving {
  readonly netdev: NetdevConfig;
  readonly tftp: Folder | undefined;
  readonly world: WrittenWorld | undefined;
  /** By their paths, as the world's file says them. */
  readonly folders: ReadonlyMap<string, Folder>;
}

/** Longest name of a file, as a role has it. */
const LONGEST = 200;

/** Look at folders and read worlds. Throws a Problem for what is not there or cannot be used. */
export function networkFiles(world: Pick<World, 'images'>, netdevs: readonly NetdevConfig[]): NetworkFiles {
  const serving = netdevs.map((netdev) => servingOf(world.images, netdev));
  return {
    paths: serving.flatMap(({ netdev: { id }, tftp, folders }) =>
      [...(tftp === undefined ? [] : [tftp]), ...folders.values()].flatMap(({ mark, files }) =>
        files.map(({ name, path }) => [networkFileRole(id, `${mark}${name}`), path] as const),
      ),
    ),
    described(images) {
      const byRole = new Map(images.map((image) => [image.role, image]));
      return serving.map((each) => describedOne(byRole, each));
    },
  };
}

function servingOf(images: ImageFiles, netdev: NetdevConfig): Serving {
  const { tftp = '', world: path = '' } = netdev.properties as { readonly tftp?: string; readonly world?: string };
  const world = path === '' ? undefined : readWorld(path, images.read('world', path));
  const folders = new Map<string, Folder>();
  for (const folder of foldersOf(world)) {
    if (!folders.has(folder)) folders.set(folder, folderAt(images, `${folders.size}/`, folder, path));
  }
  return { netdev, tftp: tftp === '' ? undefined : folderAt(images, 'tftp/', tftp, ''), world, folders };
}

const foldersOf = (world: WrittenWorld | undefined): string[] =>
  (world?.hosts ?? []).flatMap(({ services = [] }) =>
    services.flatMap(({ folder }) => (folder === undefined ? [] : [folder])),
  );

/** `beside`: a file's own folders are looked for where it lies. */
function folderAt(images: ImageFiles, mark: string, folder: string, beside: string): Folder {
  const files = images.list(folder, beside);
  const long = files.find(({ name }) => encodeURI(name).length > LONGEST);
  if (long !== undefined) {
    throw new Problem(`Cannot serve ${shortly(long.name)} of ${folder}: its name has more than ${LONGEST} characters.`);
  }
  return { mark, files };
}

/** What a device is told of a file. */
interface Served {
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

function describedOne(
  images: ReadonlyMap<string, ImageIdentity>,
  { netdev, tftp, world, folders }: Serving,
): NetdevConfig {
  const served = ({ mark, files }: Folder, before: string): Readonly<Record<string, Served>> =>
    Object.fromEntries(
      files.map(({ name }) => {
        const file = `${mark}${name}`;
        const { bytes: size, sha256 } = images.get(networkFileRole(netdev.id, file))!;
        return [`${before}${name}`, { file, size, sha256 }];
      }),
    );
  return {
    ...netdev,
    ...(tftp === undefined ? {} : { served: served(tftp, '') }),
    ...(world === undefined ? {} : { world: worldServing(world, (folder) => served(folders.get(folder)!, '/')) }),
  };
}

/** A world with the files of its folders in place of those. */
function worldServing({ hosts, ...world }: WrittenWorld, filesOf: (folder: string) => object): object {
  if (hosts === undefined) return world;
  return {
    ...world,
    hosts: hosts.map(({ services, ...host }) => ({
      ...host,
      ...(services === undefined
        ? {}
        : {
            services: services.map(({ folder, ...service }) =>
              folder === undefined ? service : { ...service, files: filesOf(folder) },
            ),
          }),
    })),
  };
}

/** The bytes of what is served, by parts and by what devices call it. */
export function withNetworkFiles(
  options: MachineOptions,
  images: Images,
  netdevs: readonly NetdevConfig[] = [],
): MachineOptions {
  const deviceFiles = new Map<string, ReadonlyMap<string, Uint8Array>>();
  for (const [index, { type, id }] of netdevs.entries()) {
    const begins = `net:${id}:`;
    const files = [...images].filter(([role]) => role.startsWith(begins));
    if (files.length === 0) continue;
    const named = files.map(([role, { bytes }]): [string, Uint8Array] => [decodeURI(role.slice(begins.length)), bytes]);
    deviceFiles.set(backendName(type, index), new Map(named));
  }
  return { ...options, deviceFiles };
}
