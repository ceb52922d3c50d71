import { isSame } from '../../reducers/seal.ts';
import type { MachineState } from '../../reducers/state.ts';
import type { PartPlace } from './checkpoint-format.ts';

type Plain = Readonly<Record<string, unknown>>;

const isContainer = (value: unknown): value is Plain => typeof value === 'object' && value !== null;

/**
 * Whether a stored value can be the state of the machine whose first moment this is: made as it was, at its place, and
 * everywhere of the types that are there. What the first moment does not tell is left to the machine.
 */
export function isStateOf(value: unknown, first: MachineState, { seq }: PartPlace): value is MachineState {
  if (!isShapedAs(value, first)) return false;
  const { at, clock, config, chance, hostMemory, schedule, kvm } = value as MachineState;
  const isHere = at.seq === seq - 1 && isSame(config, first.config) && chance.seed === first.chance.seed;
  const hasTime = Number.isFinite(clock.warpedNs) && clock.wallClockAtPowerOn === first.clock.wallClockAtPowerOn;
  const hasThreads =
    isSame(schedule.threads.map(nameOf), first.schedule.threads.map(nameOf)) &&
    (config.smp === 0 || schedule.threads[schedule.turn]?.kind === 'vcpu') &&
    Number.isFinite(schedule.nextDigest);
  return isHere && hasTime && hasThreads && hostMemory.next >= 0 && kvm.vcpus.length === first.kvm.vcpus.length;
}

const nameOf = ({ kind, source }: MachineState['schedule']['threads'][number]) => ({ kind, source });

/** Of the same types wherever both have something. */
function isShapedAs(value: unknown, like: unknown): boolean {
  if (typeof value === 'number' && !Number.isFinite(value)) return false;
  if (!isContainer(like)) return like === undefined || value === undefined || typeof value === typeof like;
  if (!isContainer(value) || Array.isArray(value) !== Array.isArray(like)) return false;
  if (value instanceof Uint8Array !== like instanceof Uint8Array) return false;
  if (value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return value.every((item, at) => isShapedAs(item, (like as unknown as unknown[])[at]));
  // A container may be missing only where a field without a value is left out.
  return Object.keys(like).every((key) =>
    isTimers(key, like[key]) ? areTimers(value[key]) : isShapedAs(value[key], like[key]),
  );
}

/** Timers that may be armed, by name; a device may call a list of its own so. */
const isTimers = (key: string, like: unknown): boolean => key === 'timers' && !Array.isArray(like);

/** Those that are armed: others than at the first moment. */
const areTimers = (value: unknown): boolean =>
  isContainer(value) && !Array.isArray(value) && Object.values(value).every(isTimer);

const isTimer = (value: unknown): boolean =>
  isContainer(value) && Number.isFinite(value['deadline']) && Number.isFinite(value['armed']);
