/** What facts do to the run as a whole: its clock, whose turn it is, chance, memory given out, its end. */
import type { Draft } from '../base/draft.ts';
import { invariant } from '../base/invariant.ts';
import { putNamed } from '../base/places.ts';
import type { Stamped } from '../events/stamped.ts';
import type { EventOf } from '../events/vocabulary.ts';
import type { Ending, MachineState } from './state.ts';

type State = Draft<MachineState>;

/** No digest of memory is due any more. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** sim:powered_on. */
export function poweredOn(state: State, { seed, wall_clock: wallClock }: EventOf<'sim:powered_on'>): void {
  state.chance.seed = seed;
  state.clock.wallClockAtPowerOn = wallClock;
}

/** kvm_exit: what the exit and the host's work on it cost. */
export function exitTakesTime({ clock, config }: State): void {
  clock.warpedNs += config.costs.exit;
}

/** kvm_userspace_exit: what the way to user space and back, and its work there, cost besides. */
export function tripTakesTime({ clock, config }: State): void {
  clock.warpedNs += config.costs['user-exit'];
}

/** sim:idle_warped. */
export function warped({ clock }: State, { from, to }: EventOf<'sim:idle_warped'>): void {
  clock.warpedNs += to - from;
}

/** sim:random_drawn: 64 bits are two numbers of the stream. */
export function drawn(state: State, { stream }: EventOf<'sim:random_drawn'>): void {
  draw(state, stream, 2);
}

/** sim:entropy_drawn. */
export function entropyDrawn(state: State, { stream, bytes }: EventOf<'sim:entropy_drawn'>): void {
  draw(state, stream, Math.ceil(bytes.length / 4));
}

/** sim:disk_delayed. */
export function diskDelayed(state: State, { drive }: EventOf<'sim:disk_delayed'>): void {
  draw(state, `disk ${drive}`, 1);
}

function draw({ chance }: State, stream: string, numbers: number): void {
  putNamed(chance.draws, stream, (Object.hasOwn(chance.draws, stream) ? chance.draws[stream]! : 0) + numbers);
}

const PAGE = 4096;

/** sim:mmap. */
export function memoryGiven({ hostMemory }: State, { len, hva }: EventOf<'sim:mmap'>): void {
  hostMemory.next = hva + Math.ceil(len / PAGE) * PAGE;
}

/** sim:memory_digest: one for each so many ticks, and one at the end. */
export function memoryDigested({ schedule, config }: State, _: EventOf<'sim:memory_digest'>, { tick }: Stamped): void {
  const { digestEvery: every } = config;
  schedule.nextDigest = schedule.ended !== undefined || every === 0 ? NEVER : tick - (tick % every) + every;
}

/** The status of a guest's own failure. Even, so that no write to isa-debug-exit can mean the same. */
export const GUEST_FAILED = 4;

function end({ schedule }: State, ending: Ending): void {
  schedule.ended ??= ending;
}

/** sim:exit_requested. */
export const exitRequested = (state: State, { status }: EventOf<'sim:exit_requested'>): void =>
  end(state, { why: 'exit', status });

/** sim:powered_off. */
export const poweredOff = (state: State): void => end(state, { why: 'powered-off', status: 0 });

/** sim:guest_panicked. */
export const panicked = (state: State): void => end(state, { why: 'panicked', status: GUEST_FAILED });

/** sim:stopped. */
export const stopped = (state: State): void => end(state, { why: 'stopped', status: 0 });

/** sim:power_lost. */
export const powerLost = (state: State): void => end(state, { why: 'power-lost', status: 0 });

/** sim:state_set: a field by its path, of the shape it had. What is not there is left alone. */
export function fieldSet(state: State, { path, value }: EventOf<'sim:state_set'>): void {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let owner: unknown = state;
  for (const key of keys) owner = fieldOf(owner, key);
  if (!isObject(owner) || fieldOf(owner, last) === undefined) return;
  const before = owner[last];
  const wanted = fieldFrom(before, value);
  invariant(isAlike(before, wanted), 'a field keeps its shape', { path });
  owner[last] = wanted;
}

/** The value a text stands for where another stands now. */
export const fieldFrom = (before: unknown, text: string): unknown =>
  typeof before === 'bigint' ? BigInt(text) : (JSON.parse(text) as unknown);

/** Whether a value can stand for another: the same type, the same fields, as many elements. */
export function isAlike(before: unknown, wanted: unknown): boolean {
  if (!isObject(before) || !isObject(wanted)) return typeof before === typeof wanted && !isObject(wanted);
  const names = Object.keys(before);
  if (Array.isArray(before) !== Array.isArray(wanted) || Object.keys(wanted).length !== names.length) return false;
  return names.every((name) => Object.hasOwn(wanted, name) && isAlike(before[name], wanted[name]));
}

/** The field an object has of its own, or a list's element: a path leads nowhere else. */
export const fieldOf = (owner: unknown, key: string): unknown =>
  isObject(owner) && Object.hasOwn(owner, key) && !(Array.isArray(owner) && key === 'length') ? owner[key] : undefined;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
