/** What a run is made from: options understood, images read. */
import { Payloads } from '../../memory/payloads.ts';
import type { ImageIdentity } from '../../replay/trace/header.ts';
import { romPaths, withRomSizes } from '../machine/device-roms.ts';
import { diskRole, type NewDisks, openDisks } from '../machine/disks.ts';
import { identities, type Images, loadImages, OWN_GUEST_PATH } from '../machine/images.ts';
import { describeMachine, type Found, type MachineDescription } from '../machine/machine-description.ts';
import { networkFiles } from '../machine/network-files.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { World } from '../world.ts';
import { type ExpectedInputs, expectedInputs } from './expected-inputs.ts';

/** What a run is made from, once its options are understood and its images read. */
export interface Prepared {
  readonly world: World;
  readonly options: RunOptions;
  readonly description: MachineDescription;
  readonly images: Images;
  /** What a trace's header keeps of them. */
  readonly identities: readonly ImageIdentity[];
  readonly disks: NewDisks;
  /** What it will have been given. */
  readonly payloads: Payloads;
  /** Nanoseconds since 1970 (UTC): the host's clock is read once, here. */
  readonly wallClockAtPowerOn: bigint;
  /** What comes from outside at its time. */
  readonly expected: ExpectedInputs;
}

/** Read the images, and say what the machine is. Throws a Problem for what cannot be read. */
export function prepared(world: World, options: RunOptions): Prepared {
  const { kernelName } = options;
  const networks = networkFiles(world, options.netdevs);
  const images = loadImages(world, { ...pathsOf(options), ...Object.fromEntries(networks.paths) }, kernelName);
  const wallClockAtPowerOn = options.wallClock ?? world.wallClock();
  const payloads = new Payloads(world.sha256);
  const ahead = options.localTime ? world.aheadOfUtc(wallClockAtPowerOn) : 0;
  const devices = withRomSizes(options.devices, images);
  const disks = openDisks(world, options.drives);
  const roles = [...images].map(([role, { path }]) => [role, path] as const);
  const paths = Object.fromEntries([...roles, ...options.drives.map(({ id, path }) => [diskRole(id), path] as const)]);
  const known = identities(world, images);
  const netdevs = networks.described(known);
  const found = { rtcAhead: ahead, drives: disks.drives, devices, netdevs };
  const description = { ...descriptionOf(options, found), paths };
  const expected = expectedInputs(world, options);
  return { world, options, images, identities: known, disks, payloads, description, wallClockAtPowerOn, expected };
}

/** What the machine is, whose images nobody has read. */
export function descriptionOf(options: RunOptions, found: Found = {}): MachineDescription {
  const paths = Object.fromEntries(Object.entries(pathsOf(options)).filter(([, path]) => path !== undefined));
  return describeMachine(options, paths as Record<string, string>, found);
}

/** Our own guest runs when nothing else is asked for. */
const isOwnGuest = ({ kernel, bios, cpus }: RunOptions): boolean =>
  kernel === undefined && bios === undefined && cpus > 0;

function pathsOf(options: RunOptions) {
  const { kernel, initrd, bios, optionRom } = options;
  const files = options.fwCfg.flatMap((file) => ('path' in file ? [[`fw-cfg:${file.name}`, file.path]] : []));
  const loaded = { bios, 'option-rom': optionRom, kernel: isOwnGuest(options) ? OWN_GUEST_PATH : kernel, initrd };
  return { ...loaded, ...Object.fromEntries([...files, ...romPaths(options.devices)]) };
}
