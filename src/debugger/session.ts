import { Problem } from '../base/problem.ts';
import type { Seq, Tick } from '../base/units.ts';
import { finish, type Work } from '../base/work.ts';
import type { Stamped } from '../events/stamped.ts';
import { describeDivergence } from '../replay/divergence.ts';
import type { Mark, Timeline } from '../replay/timeline.ts';
import type { PacketRun } from '../runs/fabric/packet-legs.ts';
import type { Passages } from '../runs/fabric/passages.ts';
import type { Verifier } from '../replay/verify.ts';
import type { Arrived, Journey } from './travel/travel.ts';
import { createTraveller, type Traveller } from './travel/traveller.ts';
import { disassembly } from './look/instructions.ts';
import { named, type Vantage } from './look/vantage.ts';
import { linearRip, registersOf, vcpuCount } from '../machine/guest-view.ts';
import { endOf, markOf } from '../replay/places.ts';
import type { Stop } from './stops/stops.ts';
import { NO_SYMBOLS, type SymbolTable } from './symbols/symbols.ts';

/** What a session stands on: a timeline of a recorded run, and its events. */
export interface DebuggedRun {
  readonly timeline: Timeline;
  readonly events: readonly Stamped[];
  readonly verifier: Verifier;
}

/** The machines that were recorded together with one, which is one of them. */
export interface Neighbours {
  readonly names: readonly string[];
  /** Its own place among them. */
  readonly own: number;
  readonly runs: readonly PacketRun[];
  readonly passages: Passages;
  /** One of them to be stood in. Throws a Problem when it cannot be run again here. */
  session(machine: number): DebugSession;
}

/** A place in a recorded run, and what is asked there. */
export interface DebugSession extends Vantage {
  readonly run: DebuggedRun;
  /** Absent: it was recorded alone. */
  neighbours: Neighbours | undefined;
  /** The processor questions are about. */
  vcpu: number;
  symbols: SymbolTable;
  /** Goes by instructions, and stops where it is told. */
  readonly traveller: Traveller;
  /** Where `continue` and `rcontinue` of the prompt stop. */
  readonly stops: Stop[];
  /** The event that was last stopped at: going back from it does not stop at it again. */
  met: Stamped | undefined;
  /** Let a journey come to its end. */
  follow(journey: Journey): Arrived;
  readonly now: Mark;
  /** Events raised up to the one last gone to: others of the same step may have been raised with it. */
  readonly seq: Seq;
  /** Go to a place as `markOf` reads it. */
  at(place: string): Mark;
  goTo(place: Mark | number): Mark;
  /** The same in pieces. Left on the way, the session stands there. */
  going(place: Mark | number): Work<Mark>;
  /** Be where a tick is first reached and a processor is about to execute. `stood` is to be told. */
  standing(tick: Tick): Work<void>;
  /** The timeline was moved: the session stands where it is now, with this processor. */
  stood(vcpu: number): void;
  /** Remember here. What is given back brings the session here again, at once. */
  remember(): () => void;
  /** `ticks` on, or back when negative; not beyond either end. */
  step(ticks: number): Mark;
  /** The same in pieces. */
  stepping(ticks: number): Work<Mark>;
  /** The sentence of the first divergence, once. */
  divergence(): string | undefined;
}

/** Start at the beginning of a run. */
export function openDebugSession(run: DebuggedRun): DebugSession {
  const { timeline, events } = run;
  const end = endOf(events);
  let hasTold = false;
  let asked: number | undefined;
  const follow = (seq?: Seq): Mark => {
    asked = seq;
    session.vcpu = timeline.machine.state.schedule.turn;
    return timeline.now;
  };
  const last = events[events.length - 1];
  let traveller: Traveller | undefined;
  const session: DebugSession = {
    run,
    get traveller() {
      traveller ??= createTraveller({ timeline, lastSeq: last?.seq ?? 0, lastTick: end.tick });
      return traveller;
    },
    neighbours: undefined,
    stops: [],
    met: undefined,
    follow(journey) {
      for (;;) {
        const { done, value } = journey.next();
        if (done !== true) continue;
        follow();
        return value;
      }
    },
    view: { machine: timeline.machine },
    vcpu: 0,
    symbols: NO_SYMBOLS,
    get now() {
      return timeline.now;
    },
    get seq() {
      return asked ?? timeline.now.seq;
    },
    at: (place) => session.goTo(finish(markOf(place, { events, pace: timeline.machine.state.config }, timeline.now))),
    goTo: (place) => finish(session.going(place)),
    *going(place) {
      try {
        yield* timeline.seeking(place);
      } finally {
        follow();
      }
      return follow(typeof place === 'number' ? undefined : place.seq);
    },
    *standing(tick) {
      const isBehind = timeline.machine.ticks < tick;
      yield* timeline.seeking(isBehind ? tick : Math.max(0, tick - 1));
      timeline.advance({ tick, inGuest: true, seq: (last?.seq ?? 0) + 1 });
    },
    stood(vcpu) {
      asked = undefined;
      session.vcpu = vcpu;
    },
    remember() {
      const back = timeline.remember();
      const { vcpu } = session;
      const seq = asked;
      return () => {
        back();
        asked = seq;
        session.vcpu = vcpu;
      };
    },
    step: (ticks) => finish(session.stepping(ticks)),
    *stepping(ticks) {
      const { tick } = timeline.now;
      try {
        yield* session.standing(Math.min(end.tick, Math.max(0, tick + ticks)));
      } finally {
        follow();
      }
      return timeline.now;
    },
    divergence() {
      const { divergence } = run.verifier;
      if (divergence === undefined || hasTold) return undefined;
      hasTold = true;
      return describeDivergence(divergence);
    },
  };
  return session;
}

/** Where the session stands, in a line or two: tick and last event as places are typed. */
export function describePlace(session: DebugSession): string {
  const { view, vcpu, now } = session;
  const after = now.seq === 0 ? '' : ` after #${now.seq - 1}`;
  if (vcpuCount(view) === 0) return `${view.machine.now()} ns${after}`;
  const registers = registersOf(view, vcpu);
  const halted = registers.activity === 0 ? '' : ' (halted)';
  const others = vcpuCount(view) > 1 ? ` vcpu${vcpu}` : '';
  const place = `tick ${now.tick}${after}${others}${halted}`;
  try {
    return `${place}\n${disassembly(session, linearRip(view, vcpu), 1)[0]}`;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return `${place}\n   ${named(session, linearRip(view, vcpu))}: ${problem.message}`;
  }
}
