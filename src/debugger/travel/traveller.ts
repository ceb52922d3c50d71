import { Problem } from '../../base/problem.ts';
import type { Tick } from '../../base/units.ts';
import type { Machine } from '../../machine/machine.ts';
import { step, stepBack } from './steps.ts';
import {
  type Arrived,
  goTo,
  isAtEnd,
  type Journey,
  listen,
  type Road,
  run,
  runBack,
  settle,
  type StopsWanted,
  type Travel,
} from './travel.ts';

/**
 * Goes through a recorded run by instructions. A place is a tick: the moment a vCPU is in the guest and about to
 * execute the next instruction, everything before it done. Two such moments of one tick (an exception that KVM
 * injected again) differ by what is about to be executed; steps know the first, breakpoints both.
 */
export interface Travels {
  readonly machine: Machine;
  /** vCPU about to execute. */
  readonly vcpu: number;
  readonly isAtEnd: boolean;
  step(vcpu: number, wanted: StopsWanted): Journey;
  stepBack(vcpu: number, wanted: StopsWanted): Journey;
  run(wanted: StopsWanted): Journey;
  runBack(wanted: StopsWanted): Journey;
  /** Be at a tick; beyond the last is the end of the recording. */
  go(tick: Tick): Journey;
}

/** The same, for who runs the machine beside it. */
export interface Traveller extends Travels {
  /** Wait for stops while somebody else runs the machine. To be asked when it has come to rest: why to stay there. */
  listen(wanted: StopsWanted): () => Arrived | undefined;
  /** Somebody else runs the machine no longer. */
  deafen(): void;
}

/** Stand at the beginning of a run. Throws a Problem for a machine without processors. */
export function createTraveller(road: Road): Traveller {
  const { machine } = road.timeline;
  const { stops } = machine.engine;
  if (stops === undefined) throw new Error('a run without a processor cannot be travelled');
  if (machine.state.kvm.vcpus.length === 0)
    throw new Problem('A bridge has no processors, whose instructions one could go by.');
  const travel: Travel = { road, machine, stops, isPlain: true, repetitions: [] };
  settle(travel, 0);
  return {
    machine,
    get vcpu() {
      return machine.state.schedule.turn;
    },
    get isAtEnd() {
      return isAtEnd(travel);
    },
    step: (vcpu, wanted) => step(travel, vcpu, wanted),
    stepBack: (vcpu, wanted) => stepBack(travel, vcpu, wanted),
    run: (wanted) => run(travel, wanted),
    runBack: (wanted) => runBack(travel, wanted),
    go: (tick) => goTo(travel, tick),
    listen: (wanted) => listen(travel, wanted),
    deafen() {
      travel.stops.disarm();
      travel.isPlain = false;
    },
  };
}
