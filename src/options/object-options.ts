/** `-object`: I/O threads, where entropy comes from, and what is written down of packets. */
import type { AnyDriver } from '../devices/driver.ts';
import type { DumpOption } from '../runs/machine/run-options.ts';
import { type NetdevConfig, queuesOf } from '../vmm/config.ts';
import { MOST } from '../vmm/limits.ts';
import type { DeviceOption } from '../vmm/options.ts';
import { optionDriver } from '../vmm/pc/option-parts.ts';
import { type CommaValue, commaValue, onOrOff, refuseOthers, wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** The objects asked for, by their ids. */
export interface Objects {
  readonly iothreads: readonly string[];
  readonly rngs: readonly string[];
  readonly dumps: readonly DumpOption[];
  /** What is understood and has no effect. */
  readonly warnings: readonly string[];
}

/** What each kind of object takes beside its id. */
const TAKES: Readonly<Record<string, readonly string[]>> = {
  iothread: ['poll-max-ns', 'poll-grow', 'poll-shrink', 'aio-max-batch', 'thread-pool-min', 'thread-pool-max'],
  'rng-builtin': [],
  'rng-random': ['filename'],
  'filter-dump': ['netdev', 'file', 'maxlen', 'queue', 'status'],
};

/** Throws a UsageProblem for an object there is not, or one without an id of its own. */
export function objectsAsked(values: readonly string[]): Objects {
  const [iothreads, rngs, warnings]: string[][] = [[], [], []];
  const dumps: (DumpOption | undefined)[] = [];
  const ids = new Set<string>();
  for (const text of values) {
    const value = commaValue(text);
    const id = idOf(text, value, ids);
    ids.add(id);
    if (value.name === 'iothread') iothreads!.push(id);
    else if (value.name === 'filter-dump') dumps.push(dumpAsked(`-object ${text}`, id, value));
    else rngs!.push(id);
    if (value.name === 'rng-random') warnings!.push(`-object ${text}: entropy is drawn from --seed, no file is read.`);
  }
  if (iothreads!.length > MOST.iothreads) throw new UsageProblem(`-object iothread: at most ${MOST.iothreads}.`);
  if (dumps.length > MOST.netdevs) throw new UsageProblem(`-object filter-dump: at most ${MOST.netdevs}.`);
  const written = dumps.filter((dump) => dump !== undefined);
  refuseOneFile(written);
  return { iothreads: iothreads!, rngs: rngs!, dumps: written, warnings: warnings! };
}

const QUEUES = ['rx', 'tx', 'all'] as const;
/** QEMU's. */
const USUAL_LENGTH = 65_536;

/** Undefined: it is off. Nobody could turn it on here. */
function dumpAsked(option: string, id: string, { properties }: CommaValue): DumpOption | undefined {
  const [netdev, path] = [properties.get('netdev') ?? '', properties.get('file') ?? ''];
  if (netdev === '') throw new UsageProblem(`${option}: say whose packets, with netdev=ID.`);
  if (path === '') throw new UsageProblem(`${option}: say where to, with file=NAME.`);
  const queue = QUEUES.find((each) => each === (properties.get('queue') ?? 'all'));
  if (queue === undefined) throw new UsageProblem(`${option}: queue is one of ${QUEUES.join(', ')}.`);
  const most = wholeNumber(`${option}: maxlen`, properties.get('maxlen') ?? `${USUAL_LENGTH}`, 1, 0xffff_ffff);
  const isOn = onOrOff(option, 'status', properties.get('status') ?? 'on');
  return isOn ? { id, netdev, path, queue, most } : undefined;
}

function refuseOneFile(dumps: readonly DumpOption[]): void {
  const twice = dumps.find(({ path }, at) => dumps.findIndex((other) => other.path === path) !== at);
  if (twice === undefined) return;
  throw new UsageProblem(`-object filter-dump,id=${twice.id}: ${twice.path} is written by another of these.`);
}

/** Whose packets are dumped. */
function checkDumps({ dumps }: Objects, netdevs: readonly NetdevConfig[]): void {
  const ids = netdevs.map(({ id }) => id);
  for (const { id, netdev } of dumps) {
    const found = netdevs.find((each) => each.id === netdev);
    if (found !== undefined && queuesOf(found) > 1)
      throw new UsageProblem(`-object filter-dump,id=${id}: netdev=${netdev}: multiqueue is not supported.`);
    if (found !== undefined) continue;
    const known = ids.length === 0 ? 'There is none: add -netdev user,id=ID.' : `There are ${ids.join(', ')}.`;
    throw new UsageProblem(`-object filter-dump,id=${id}: netdev=${netdev} is no network backend. ${known}`);
  }
}

const ID = /^[A-Za-z][\w.-]*$/;

function idOf(text: string, value: CommaValue, taken: ReadonlySet<string>): string {
  const known = Object.keys(TAKES);
  const takes = Object.hasOwn(TAKES, value.name ?? '') ? TAKES[value.name ?? ''] : undefined;
  if (takes === undefined) {
    throw new UsageProblem(`-object ${text}: there is no such object. There are ${known.join(', ')}.`);
  }
  refuseOthers(`-object ${value.name}`, value, ['id', ...takes]);
  const id = value.properties.get('id') ?? '';
  if (!ID.test(id) || id.length > MOST.driveId) throw new UsageProblem(`-object ${text}: give it an id=NAME.`);
  if (taken.has(id)) throw new UsageProblem(`-object ${text}: there is an object ${id} already.`);
  return id;
}

/** Throws a UsageProblem where an object is meant that there is not, or one means what there is not. */
export function checkObjects(
  objects: Objects,
  { devices, netdevs }: { readonly devices: readonly DeviceOption[]; readonly netdevs: readonly NetdevConfig[] },
): void {
  checkEntropy(devices, objects);
  checkDumps(objects, netdevs);
}

/** Where a device's entropy comes from. */
function checkEntropy(devices: readonly DeviceOption[], { rngs }: Objects): void {
  for (const { driver, properties } of devices) {
    for (const key of entropyOf(optionDriver(driver)[1])) {
      const id = String(properties[key] ?? '');
      if (id === '' || rngs.includes(id)) continue;
      const known = rngs.length === 0 ? 'There is none: add -object rng-builtin.' : `There are ${rngs.join(', ')}.`;
      throw new UsageProblem(`-device ${driver}: ${key}=${id} is no object that has entropy. ${known}`);
    }
  }
}

const entropyOf = ({ properties = {} }: AnyDriver): string[] =>
  Object.entries(properties).flatMap(([key, property]) =>
    property.type === 'str' && property.names === 'rng' ? [key] : [],
  );
