/** `-object`: I/O threads, and where entropy comes from. */
import type { AnyDriver } from '../devices/driver.ts';
import { MOST } from '../vmm/limits.ts';
import type { DeviceOption } from '../vmm/options.ts';
import { optionDriver } from '../vmm/pc/option-parts.ts';
import { type CommaValue, commaValue, refuseOthers } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** The objects asked for, by their ids. */
export interface Objects {
  readonly iothreads: readonly string[];
  readonly rngs: readonly string[];
  /** What is understood and has no effect. */
  readonly warnings: readonly string[];
}

/** What each kind of object takes beside its id. */
const TAKES: Readonly<Record<string, readonly string[]>> = {
  iothread: ['poll-max-ns', 'poll-grow', 'poll-shrink', 'aio-max-batch', 'thread-pool-min', 'thread-pool-max'],
  'rng-builtin': [],
  'rng-random': ['filename'],
};

/** Throws a UsageProblem for an object there is not, or one without an id of its own. */
export function objectsAsked(values: readonly string[]): Objects {
  const [iothreads, rngs, warnings]: string[][] = [[], [], []];
  for (const text of values) {
    const value = commaValue(text);
    const id = idOf(text, value, [...iothreads!, ...rngs!]);
    if (value.name === 'iothread') iothreads!.push(id);
    else rngs!.push(id);
    if (value.name === 'rng-random') warnings!.push(`-object ${text}: entropy is drawn from --seed, no file is read.`);
  }
  if (iothreads!.length > MOST.iothreads) throw new UsageProblem(`-object iothread: at most ${MOST.iothreads}.`);
  return { iothreads: iothreads!, rngs: rngs!, warnings: warnings! };
}

const ID = /^[A-Za-z][\w.-]*$/;

function idOf(text: string, value: CommaValue, taken: readonly string[]): string {
  const known = Object.keys(TAKES);
  const takes = Object.hasOwn(TAKES, value.name ?? '') ? TAKES[value.name ?? ''] : undefined;
  if (takes === undefined) {
    throw new UsageProblem(`-object ${text}: there is no such object. There are ${known.join(', ')}.`);
  }
  refuseOthers(`-object ${value.name}`, value, ['id', ...takes]);
  const id = value.properties.get('id') ?? '';
  if (!ID.test(id) || id.length > MOST.driveId) throw new UsageProblem(`-object ${text}: give it an id=NAME.`);
  if (taken.includes(id)) throw new UsageProblem(`-object ${text}: there is an object ${id} already.`);
  return id;
}

/** Throws a UsageProblem where a device's entropy comes from an object there is not. */
export function checkEntropy(devices: readonly DeviceOption[], { rngs }: Objects): void {
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
