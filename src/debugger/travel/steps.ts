import { isAtPlace } from '../../machine/guest-view.ts';
import {
  type Arrived,
  arrived,
  arriveAt,
  firstTickOf,
  goTo,
  isAtEnd,
  type Journey,
  LARGEST,
  lastIn,
  listen,
  NEAREST,
  onTo,
  settle,
  type StopsWanted,
  tickOf,
  type Travel,
  turnOf,
} from './travel.ts';
import type { Tick } from '../../base/units.ts';

/** Most ticks that may lie between two places: an exit's completion counts one, rarely two. */
const WIDEST = 16;

/** One instruction of a vCPU. The others run on until it has its turn; what they meet ends the step. */
export function* step(travel: Travel, vcpu: number, wanted: StopsWanted): Journey {
  if (isAtEnd(travel)) return arrived(travel, 'end');
  const heard = listen(travel, wanted);
  try {
    if (turnOf(travel) !== vcpu) {
      const stop = yield* onTo(travel, heard, tickOf(travel), vcpu);
      if (stop !== undefined) return stop;
      if (!isAtPlace(travel.machine, tickOf(travel), vcpu)) return arrived(travel, 'end');
    }
    const to = tickOf(travel) + 1;
    const stop = yield* onTo(travel, heard, to);
    return stop ?? { why: isAtPlace(travel.machine, to) && !isAtEnd(travel) ? 'step' : 'end', vcpu };
  } finally {
    travel.stops.disarm();
  }
}

interface Turn {
  readonly vcpu: number;
  readonly from: number;
}

/** Run to a tick and say from when on it was whose turn. */
function turnsUntil(travel: Travel, tick: Tick): Turn[] {
  const turns: Turn[] = [{ vcpu: turnOf(travel), from: tickOf(travel) }];
  travel.road.timeline.watching(
    ({ event, tick: from }) => {
      if (event.kind === 'sim:thread_switch') turns.push({ vcpu: event.to, from });
    },
    () => settle(travel, tick),
  );
  return turns;
}

/** Un-execute one instruction of a vCPU, back to what was met since then, if anything was: the last of it. */
export function* stepBack(travel: Travel, vcpu: number, wanted: StopsWanted): Journey {
  const from = tickOf(travel) + (isAtEnd(travel) ? 1 : 0);
  const was = yield* toPlaceBefore(travel, vcpu);
  if (wanted.breakpoints.length === 0 && wanted.watchpoints.length === 0) return was;
  const to = tickOf(travel);
  travel.repetitions = [];
  const met = yield* lastIn(travel, from, wanted);
  // A breakpoint where the step leads is no reason to stop before: it ends there.
  if (met !== undefined && (met.hit.kind === 'watch' || met.tick > to)) return yield* arriveAt(travel, met, wanted);
  yield* goTo(travel, to);
  return was;
}

function* toPlaceBefore(travel: Travel, vcpu: number): Journey {
  const isFromEnd = isAtEnd(travel);
  const from = tickOf(travel);
  if (!isFromEnd && turnOf(travel) === vcpu) {
    const was = yield* before(travel, from, false);
    if (was?.vcpu === vcpu) return was;
    if (was === undefined) return { why: 'begin', vcpu };
  } else if (isFromEnd) {
    const was = yield* before(travel, from, true);
    if (was === undefined || was.vcpu === vcpu) return was ?? { why: 'begin', vcpu };
  }
  return yield* backToTurn(travel, vcpu, from);
}

/** The last place before a tick, or before the end of the run at it. */
function* before(travel: Travel, from: number, isFromEnd: boolean): Generator<void, Arrived | undefined, void> {
  const first = firstTickOf(travel);
  for (let back = isFromEnd ? 0 : 1; back <= WIDEST && back <= from - first; back += 1) {
    yield* goTo(travel, from - back);
    if (!isAtEnd(travel) && (tickOf(travel) < from || isFromEnd)) return arrived(travel, 'step');
  }
  yield* goTo(travel, first);
  return undefined;
}

/** The last place before a tick where a vCPU was about to execute. */
function* backToTurn(travel: Travel, vcpu: number, from: number): Journey {
  const first = firstTickOf(travel);
  for (let end = from, size = NEAREST; end > first; size = Math.min(LARGEST, 8 * size)) {
    const start = Math.max(first, end - size);
    yield* goTo(travel, start);
    const turns = turnsUntil(travel, end - 1);
    const last = turns.findLastIndex((turn, at) => turn.vcpu === vcpu && (turns[at + 1]?.from ?? end) > turn.from);
    if (last >= 0) {
      yield* goTo(travel, Math.min(turns[last + 1]?.from ?? end, end) - 1);
      if (turnOf(travel) === vcpu && tickOf(travel) < from) return { why: 'step', vcpu };
    }
    end = start;
  }
  yield* goTo(travel, first);
  return { why: 'begin', vcpu };
}
