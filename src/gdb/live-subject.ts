import type { Ns } from '../base/units.ts';
import type { Goal, LiveRun } from '../runs/underway/live-run.ts';
import type { Timeline } from '../replay/timeline.ts';
import { type GuestView, isAtPlace, readLinear, vcpuCount } from '../machine/guest-view.ts';
import { forksOf } from '../debugger/forks/forks.ts';
import { type Ground, LONGEST_INSTRUCTION, looksAt } from '../debugger/forks/ground.ts';
import { NO_SYMBOLS } from '../debugger/symbols/symbols.ts';
import { type PathFor, WRITES_NOTHING } from './allowed-folder.ts';
import type { MachineSubject } from './several.ts';
import { silent } from './subject.ts';
import type { Arrived, StopsWanted } from '../debugger/travel/travel.ts';
import { createTraveller, type Traveller, type Travels } from '../debugger/travel/traveller.ts';

/** A run under way as gdb's stub looks at it: all that was recorded so far, and beyond it what is still to happen. */
export function liveSubjectOf(live: LiveRun, pathFor: PathFor = WRITES_NOTHING): Omit<MachineSubject, 'name'> {
  const { timeline } = live;
  const view: GuestView = { machine: timeline.machine };
  timeline.advance({ tick: 0, inGuest: true });
  const past = onlyThePast(live);
  const traveller = createTraveller({
    timeline: past,
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
    *follow(ns) {
      // What was changed in a fork has no moment that the others share.
      if (forks.current === undefined) yield* standAt(past, ns, () => isBehind(live));
      traveller.deafen();
    },
    joined() {
      live.isHeld = true;
      live.isWatched = true;
      traveller.deafen();
      settle(live);
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

/** Go where a machine stood at a virtual time that has been: ticks take their time, and whatever else does is more. */
function* standAt(past: Timeline, ns: Ns, isBehindNow: () => boolean): Generator<void, void, void> {
  const { machine } = past;
  const beyond = Math.ceil((machine.now() - ns) / machine.state.config.nsPerTick);
  if (beyond > 0) yield* silent(past.seeking(Math.max(0, machine.ticks - beyond)));
  while (machine.now() < ns && isBehindNow()) {
    const { tick, seq } = past.now;
    past.advance({ tick: tick + PIECE, ns });
    // What it does next is beyond that.
    if (machine.ticks === tick && machine.seq === seq) return;
    yield;
  }
}

/** Steps through what has been end where the run has come to; what follows is the session's. */
function onlyThePast(live: LiveRun): Timeline {
  const { timeline } = live;
  return {
    ...timeline,
    get now() {
      return timeline.now;
    },
    get end() {
      return timeline.end;
    },
    get checkpoints() {
      return timeline.checkpoints;
    },
    get heldBytes() {
      return timeline.heldBytes;
    },
    advance(until) {
      if (!isBehind(live)) return { why: 'idle' };
      const { now, end } = timeline;
      // The last events of the past may be followed by instructions without any.
      const { tick = Number.POSITIVE_INFINITY, seq = Number.POSITIVE_INFINITY } = until;
      return timeline.advance({
        ...until,
        ...(now.seq < end.seq ? { seq: Math.min(seq, end.seq) } : { tick: Math.min(tick, end.tick) }),
      });
    },
  };
}

const isBehind = ({ timeline }: LiveRun): boolean =>
  timeline.now.tick < timeline.end.tick || timeline.now.seq < timeline.end.seq;

/** A slice of the run may end outside the guest: go on to where a vCPU is about to execute, if that is near. */
function settle(live: LiveRun): void {
  const { timeline, hasEnded } = live;
  if (hasEnded || isBehind(live)) return;
  const { machine } = timeline;
  timeline.advance({ tick: machine.ticks, inGuest: true, ...live.near() });
}

/** Ticks of the past run again between two looks at the line. */
const PIECE = 2_000_000;

/** What is still to happen: the session makes it happen, at its pace. */
function presentOf(live: LiveRun, traveller: Traveller, watching: { rests: boolean }) {
  const { timeline } = live;
  const ended = (): Arrived => ({ why: 'end', vcpu: traveller.vcpu });
  /** Let the session run until it holds the machine for a reason, or at a goal: then undefined. */
  function* onward(heard: () => Arrived | undefined, goal?: Goal): Generator<void, Arrived | undefined, void> {
    let stop: Arrived | undefined;
    live.judge = () => {
      stop = heard();
      return stop !== undefined;
    };
    live.goal = goal;
    live.isHeld = false;
    watching.rests = true;
    while (stop === undefined) {
      if (live.hasEnded || live.isKilled) return ended();
      if (live.isHeld) return undefined;
      yield;
    }
    return stop;
  }
  /** What is near is gone to at once; over idle time leads the session. */
  function* to(goal: Goal, heard: () => Arrived | undefined): Generator<void, Arrived | undefined, void> {
    const { machine } = timeline;
    const near = live.near();
    for (;;) {
      const { why } = timeline.advance({ ...goal, inGuest: true, ...near });
      const stop = heard();
      if (stop !== undefined || isAtPlace(machine, goal.tick, goal.turn)) return stop;
      if (why !== 'break') return yield* onward(heard, goal);
    }
  }
  const letBe = (): void => {
    watching.rests = false;
    live.judge = undefined;
    live.goal = undefined;
    live.isHeld = true;
    traveller.deafen();
  };
  return { ended, onward, to, letBe };
}

function liveTraveller(live: LiveRun, traveller: Traveller, watching: { rests: boolean }): Travels {
  const { timeline } = live;
  const { ended, onward, to, letBe } = presentOf(live, traveller, watching);
  const isOver = (): boolean => live.hasEnded && !isBehind(live);
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
      if (isBehind(live)) {
        const stop = yield* traveller.step(vcpu, wanted);
        if (stop.why !== 'end') return stop;
      }
      if (live.hasEnded) return ended();
      // What is still to happen happens at the pace of the run: perhaps nothing comes before somebody types.
      const heard = traveller.listen(wanted);
      try {
        let stop: Arrived | undefined;
        if (traveller.vcpu !== vcpu) stop = yield* to({ tick: timeline.now.tick, turn: vcpu }, heard);
        const { tick } = timeline.now;
        // Interrupted while every processor waits, it is on the way to a place already.
        stop ??= yield* to({ tick: isAtPlace(timeline.machine, tick) ? tick + 1 : tick }, heard);
        return stop ?? { why: 'step', vcpu };
      } finally {
        letBe();
      }
    },
    *run(wanted) {
      const heard = traveller.listen(wanted);
      let isInterrupted = true;
      try {
        while (timeline.now.tick < timeline.end.tick) {
          const { why } = timeline.advance({ tick: Math.min(timeline.end.tick, timeline.now.tick + PIECE) });
          const stop = heard();
          if (stop !== undefined) {
            isInterrupted = false;
            return stop;
          }
          if (why === 'ended') break;
          yield;
        }
        const stop = live.hasEnded ? ended() : ((yield* onward(heard)) ?? ended());
        isInterrupted = false;
        return stop;
      } finally {
        letBe();
        if (isInterrupted) settle(live);
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
