/**
 * Machines of a run under way that one gdb holds. They go on in their lock-step, as if nobody looked: whoever meets a
 * stop is held there, the others come to that moment by the clock of all, and what they have done beyond it is their
 * past from then on.
 */
import type { Ns } from '../base/units.ts';
import type { LockStep } from '../runs/fabric/lock-step.ts';
import type { Fabric } from '../runs/fabric/open-fabric.ts';
import type { LiveRun } from '../runs/underway/live-run.ts';
import { firstMet, type Goer, type Met, oneByOne, type Together, WAYS, type Way } from './together.ts';

/** Several machines under way, as one gdb lets them go. */
export class LiveMachines implements Together {
  readonly lives: readonly LiveRun[];
  private readonly all: LockStep;
  /** Whose journeys lead on to what is still to happen. */
  private going = new Set<number>();
  /** Some are brought to where others stand. */
  private isReaching = false;

  /** `startStopped`: until gdb says otherwise. Those without processors are behind the others, and go as these do. */
  constructor({ all, lanes }: Fabric, startStopped: boolean) {
    this.all = all;
    this.lives = lanes.flatMap(({ session: { live } }) => (live === undefined ? [] : [live]));
    for (const live of this.lives) live.isHeld = startStopped;
  }

  /** They are not to go on now. */
  get isHeld(): boolean {
    const { lives, going } = this;
    if (!this.isWatched) return lives.some(({ isHeld }) => isHeld);
    return this.isReaching || going.size === 0 || [...going].some((machine) => lives[machine]!.isHeld);
  }

  /** gdb is here. */
  get isWatched(): boolean {
    return this.lives.some(({ isWatched }) => isWatched);
  }

  /** gdb asked for the run's end. */
  get isKilled(): boolean {
    return this.lives.some(({ isKilled }) => isKilled);
  }

  /** All stand where the run has come to. */
  toTheirEnds(): void {
    for (const live of this.lives) live.toItsEnd();
  }

  /** Nothing more happens to any of them. */
  areOver(): void {
    for (const live of this.lives) live.hasEnded = true;
  }

  *meet(goers: readonly Goer[], way: Way): Generator<void, Met | undefined, void> {
    // Back there is only what has been.
    if (way === WAYS.back) return yield* oneByOne((machine) => this.nowOf(machine)).meet(goers, way);
    const open = new Map(goers.map(({ machine, journey }) => [machine, journey]));
    const met: Met[] = [];
    this.going = new Set(open.keys());
    try {
      for (;;) {
        this.look(open, met);
        const isMet = met.some(({ stop }) => stop.why !== way.over);
        // Nobody goes through what has been any more: those that are left have met nothing yet.
        if (open.size === 0 || (isMet && [...open.keys()].every((machine) => !this.lives[machine]!.isHeld))) break;
        yield;
      }
      yield* this.catchUp(open, met);
      return firstMet(met, way);
    } finally {
      for (const journey of open.values()) journey.return(undefined as never);
      this.going = new Set();
    }
  }

  *beside<T>(machine: number, way: Generator<void, T, void>): Generator<void, T, void> {
    this.going = new Set([machine]);
    try {
      return yield* way;
    } finally {
      this.going = new Set();
    }
  }

  *reach(machine: number): Generator<void, void, void> {
    const setting = { before: () => this.nowOf(machine), stands: (other: number) => other === machine, gate: NOBODY };
    yield* this.stepping(setting, () => undefined);
  }

  /** Those that have met nothing yet come to the first stop that was met, unless they meet one before. */
  private *catchUp(open: Map<number, Goer['journey']>, met: Met[]): Generator<void, void, void> {
    if (open.size === 0) return;
    const { lives } = this;
    const setting = {
      before: () => firstMet(met, WAYS.on)?.ns ?? 0,
      stands: (machine: number) => met.some((each) => each.machine === machine),
      gate: {
        get isHeld() {
          return [...open.keys()].some((machine) => lives[machine]!.isHeld);
        },
      },
    };
    yield* this.stepping(setting, () => this.look(open, met));
  }

  private *stepping({ before, stands, gate }: Stepping, look: () => void): Generator<void, void, void> {
    this.isReaching = true;
    try {
      while (this.all.stepTo(before(), stands, gate).pause === 'slice') {
        look();
        yield;
      }
    } finally {
      this.isReaching = false;
    }
  }

  /** Let each that goes look where it is. */
  private look(open: Map<number, Goer['journey']>, met: Met[]): void {
    for (const [machine, journey] of open) {
      const { done, value: stop } = journey.next();
      if (done !== true) continue;
      open.delete(machine);
      this.going.delete(machine);
      met.push({ machine, stop, ns: this.nowOf(machine) });
    }
  }

  private nowOf(machine: number): Ns {
    return this.lives[machine]!.timeline.machine.now();
  }
}

const NOBODY = { isHeld: false };

/** How far those go that do not stand. */
interface Stepping {
  before(): Ns;
  stands(machine: number): boolean;
  readonly gate: { readonly isHeld: boolean };
}
