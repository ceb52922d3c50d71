import type { LiveRun } from '../runs/underway/live-run.ts';
import { type GuestView, readLinear, vcpuCount } from '../machine/guest-view.ts';
import { forksOf } from '../debugger/forks/forks.ts';
import { type Ground, LONGEST_INSTRUCTION, looksAt } from '../debugger/forks/ground.ts';
import { NO_SYMBOLS } from '../debugger/symbols/symbols.ts';
import { type PathFor, WRITES_NOTHING } from './allowed-folder.ts';
import type { StubSubject } from './stub-subject.ts';
import type { Arrived, Journey, StopsWanted } from '../debugger/travel/travel.ts';
import { createTraveller, type Traveller, type Travels } from '../debugger/travel/traveller.ts';

/** A run under way as gdb's stub looks at it: all that was recorded so far, and beyond it what is still to happen. */
export function liveSubjectOf(live: LiveRun, pathFor: PathFor = WRITES_NOTHING): StubSubject {
  const { timeline } = live;
  const view: GuestView = { machine: timeline.machine };
  const traveller = createTraveller({
    timeline,
    lastSeq: Number.POSITIVE_INFINITY,
    lastTick: Number.POSITIVE_INFINITY,
    code: (vcpu, linear) => readLinear(view, vcpu, linear, LONGEST_INSTRUCTION),
  });
  const watching = { rests: false };
  const ground: Ground = {
    view,
    timeline,
    traveller: liveTraveller(live, traveller, watching),
    firstTick: 0,
    get lastTick() {
      return timeline.end.tick;
    },
    get endSeq() {
      return timeline.end.seq;
    },
    event: live.event,
    inputsFrom: (from) => live.taken.filter(({ seq = 0 }) => seq >= from),
  };
  const forks = forksOf(ground, undefined, live.build, () => NOT_YET);
  return {
    ...looksAt(forks.here),
    traveller: forks.travels,
    pathFor,
    vcpus: vcpuCount(view),
    rests: () => watching.rests,
    problem: () => undefined,
    symbols: () => NO_SYMBOLS,
    ask: () => undefined,
    takeNotices: forks.takeNotices,
    joined() {
      live.isHeld = true;
      live.isWatched = true;
      traveller.deafen();
    },
    left(killed) {
      forks.drop();
      live.toItsEnd();
      live.isWatched = false;
      live.isHeld = false;
      live.isKilled = killed;
    },
    change(changes) {
      if (forks.current !== undefined || isBehind(live)) return forks.change(changes);
      if (live.hasEnded) return 'The run has ended.';
      for (const { intervention } of changes) live.intervene(intervention);
      return undefined;
    },
    fork: forks.fork,
  };
}

const NOT_YET = 'The run is under way, and its trace is not written yet: `retrovisor fork` forks it when it has ended.';

const isBehind = ({ timeline }: LiveRun): boolean =>
  timeline.now.tick < timeline.end.tick || timeline.now.seq < timeline.end.seq;

/** Ticks of the past run again between two looks at the line. */
const PIECE = 2_000_000;

function liveTraveller(live: LiveRun, traveller: Traveller, watching: { rests: boolean }): Travels {
  const { timeline } = live;
  const ended = (): Arrived => ({ why: 'end', vcpu: traveller.vcpu });
  const isOver = (): boolean => live.hasEnded && !isBehind(live);
  /** Let the session run until it holds the machine for a reason. */
  function* onward(heard: () => Arrived | undefined): Journey {
    let stop: Arrived | undefined;
    live.judge = () => {
      stop = heard();
      return stop !== undefined;
    };
    live.isHeld = false;
    watching.rests = true;
    while (stop === undefined) {
      if (live.hasEnded || live.isKilled) return ended();
      yield;
    }
    return stop;
  }
  return {
    get machine() {
      return timeline.machine;
    },
    get vcpu() {
      return traveller.vcpu;
    },
    get isAtEnd() {
      return isOver();
    },
    *step(vcpu: number, wanted: StopsWanted) {
      const from = timeline.now.tick;
      try {
        for (;;) {
          if (isOver()) return ended();
          const stop = yield* traveller.step(vcpu, wanted);
          if (stop.why !== 'step' || timeline.now.tick !== from) return stop;
          // Every processor waits for input.
          watching.rests = true;
          yield;
        }
      } finally {
        watching.rests = false;
      }
    },
    *run(wanted) {
      const heard = traveller.listen(wanted);
      try {
        while (timeline.now.tick < timeline.end.tick) {
          const { why } = timeline.advance({ tick: Math.min(timeline.end.tick, timeline.now.tick + PIECE) });
          const stop = heard();
          if (stop !== undefined) return stop;
          if (why === 'ended') break;
          yield;
        }
        return live.hasEnded ? ended() : yield* onward(heard);
      } finally {
        watching.rests = false;
        live.judge = undefined;
        live.isHeld = true;
        traveller.deafen();
      }
    },
    stepBack: (vcpu, wanted) => traveller.stepBack(vcpu, wanted),
    runBack: (wanted) => traveller.runBack(wanted),
    *go(tick) {
      if (tick < timeline.end.tick) return yield* traveller.go(tick);
      live.toItsEnd();
      traveller.deafen();
      return { why: 'step', vcpu: traveller.vcpu };
    },
  };
}
