/** `-drive`: which disks there are, and the devices that come with them. */
import { FORMAT_NAMES, isFormat } from '../block/formats.ts';
import type { ErrorPolicy } from '../devices/device.ts';
import type { DriveOption } from '../runs/machine/run-options.ts';
import { DRIVE_ID, MOST } from '../vmm/limits.ts';
import type { DeviceOption } from '../vmm/options.ts';
import { FAULT_KEYS, faultsOf } from './fault-options.ts';
import { type CommaValue, commaValue, refuseOthers, switchValue, virtualTime, wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** The drives asked for, and the devices they bring along. */
export interface Drives {
  readonly drives: DriveOption[];
  readonly devices: DeviceOption[];
}

const KNOWN = [
  ...['file', 'if', 'format', 'id', 'index', 'media', 'readonly', 'snapshot', 'cache', 'aio', 'discard', 'werror'],
  ...['rerror', 'serial', 'jitter', ...FAULT_KEYS],
];

/** By `if=`: the device that comes with a drive. */
const INTERFACES: Readonly<Record<string, string | undefined>> = { virtio: 'virtio-blk-pci', none: undefined };

/** Throws a UsageProblem for what cannot be had. */
export function drivesAsked(values: readonly string[]): Drives {
  const found: Drives = { drives: [], devices: [] };
  const indices = new Map<string, Set<number>>();
  for (const text of values) addDrive(found, text, indices);
  if (found.drives.length > MOST.drives) throw new UsageProblem(`-drive: a machine has at most ${MOST.drives}.`);
  return found;
}

function addDrive({ drives, devices }: Drives, text: string, indices: Map<string, Set<number>>): void {
  const option = `-drive ${text}`;
  const value = commaValue(text);
  refuseOthers('-drive', { ...value, name: undefined }, KNOWN);
  const bus = interfaceOf(option, value);
  const index = indexOf(option, value, bus, indices);
  const path = value.properties.get('file') ?? '';
  if (path === '') throw new UsageProblem(`${option}: name its image with file=PATH.`);
  const id = value.properties.get('id') ?? `${bus}${index}`;
  if (!DRIVE_ID.test(id) || id.length > MOST.driveId) {
    throw new UsageProblem(`${option}: an id is a letter and then letters, digits, '-', '.' or '_'.`);
  }
  if (drives.some((drive) => drive.id === id)) throw new UsageProblem(`${option}: there is a drive ${id} already.`);
  refuseUnlike(option, value);
  drives.push({ id, path, ...settingsOf(option, value) });
  const driver = INTERFACES[bus];
  if (driver !== undefined) devices.push({ driver, properties: { drive: id } });
}

function interfaceOf(option: string, { properties }: CommaValue): string {
  const asked = properties.get('if');
  if (asked !== undefined && Object.hasOwn(INTERFACES, asked)) return asked;
  const why = asked === undefined ? 'QEMU would take if=ide, which is not supported' : `if=${asked} is not supported`;
  throw new UsageProblem(`${option}: ${why}. Give if=virtio, or if=none with a -device.`);
}

/** The number of a drive among those of its interface: QEMU's drive_new. */
function indexOf(option: string, { properties }: CommaValue, bus: string, indices: Map<string, Set<number>>): number {
  const taken = indices.get(bus) ?? new Set<number>();
  const asked = properties.get('index');
  let index = asked === undefined ? 0 : wholeNumber(`${option}: index`, asked, 0, MOST.drives - 1);
  if (asked === undefined) while (taken.has(index)) index += 1;
  if (taken.has(index)) throw new UsageProblem(`${option}: there is a drive with index ${index} already.`);
  indices.set(bus, taken.add(index));
  return index;
}

/** What is understood so that QEMU's command lines work; what is not so is refused. */
function refuseUnlike(option: string, value: CommaValue): void {
  const { properties } = value;
  const media = properties.get('media') ?? 'disk';
  if (media !== 'disk') throw new UsageProblem(`${option}: media=${media} is not supported: there are disks only.`);
  oneOf(option, value, 'aio', ['threads', 'native', 'io_uring']);
  if (switchValue(option, value, 'snapshot') !== false) return;
  throw new UsageProblem(
    `${option}: while a guest runs nothing is written to an image. --commit writes back what it changed, at the end.`,
  );
}

function settingsOf(option: string, value: CommaValue): Omit<DriveOption, 'id' | 'path'> {
  const format = value.properties.get('format');
  if (format !== undefined && !isFormat(format)) {
    throw new UsageProblem(`${option}: format=${format} is not supported. There is ${FORMAT_NAMES.join(', ')}.`);
  }
  const cache = oneOf(option, value, 'cache', ['writeback', 'none', 'unsafe', 'writethrough', 'directsync']);
  const jitter = value.properties.get('jitter');
  const faults = faultsOf(option, value);
  const discard = oneOf(option, value, 'discard', ['ignore', 'off', 'unmap', 'on']);
  return {
    format,
    readOnly: switchValue(option, value, 'readonly') === true,
    writeCache: cache !== 'writethrough' && cache !== 'directsync',
    noFlush: cache === 'unsafe',
    discards: discard === 'unmap' || discard === 'on',
    serial: value.properties.get('serial') ?? '',
    ...onError(option, value, 'rerror', ['report', 'ignore', 'stop']),
    ...onError(option, value, 'werror', ['report', 'ignore', 'enospc', 'stop']),
    ...(jitter === undefined ? {} : { jitter: virtualTime(`${option}: jitter`, jitter, MOST.jitterNs) }),
    ...(faults.length === 0 ? {} : { faults }),
  };
}

/** What becomes of requests that fail, where it is said: parse_block_error_action. */
function onError(option: string, value: CommaValue, key: 'rerror' | 'werror', known: readonly ErrorPolicy[]) {
  const given = oneOf(option, value, key, known) as ErrorPolicy | undefined;
  return given === undefined ? {} : { [key]: given };
}

function oneOf(option: string, { properties }: CommaValue, key: string, known: readonly string[]): string | undefined {
  const given = properties.get(key);
  if (given === undefined || known.includes(given)) return given;
  throw new UsageProblem(`${option}: ${key} is ${known.join(', ')}, not '${given}'.`);
}
