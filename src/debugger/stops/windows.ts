import type { Seq, Tick } from '../../base/units.ts';
import { asPart, type Work } from '../../base/work.ts';
import type { Reason } from '../../machine/loop.ts';
import type { DebugSession } from '../session.ts';

/** Most ticks and events of one piece: a few milliseconds, and a tenth of a second where every instruction is heard. */
const PIECE = 1 << 16;
const PIECE_EVENTS = 1 << 11;
/** First window looked at when going back, and the largest that does not begin at a checkpoint. */
const NEAREST = 1 << 12;
const LARGEST = 1 << 24;

/** A place a search starts from: whether a processor is about to execute there, or KVM is at work. */
export interface Here {
  readonly tick: Tick;
  readonly seq: Seq;
  readonly isRunning: boolean;
}

/** Whether a processor is in the guest and about to execute. */
const isRunning = ({ run }: DebugSession): boolean =>
  run.timeline.machine.state.kvm.vcpus.some(({ inGuest }) => inGuest);

/** Where a session stands. */
export const hereOf = (session: DebugSession): Here => ({ ...session.now, isRunning: isRunning(session) });

/** Sequence number just beyond the recording. */
const endSeq = ({ run }: DebugSession): number => (run.events[run.events.length - 1]?.seq ?? 0) + 1;

/** How far `runOn` runs: whichever comes first. */
export interface Bound {
  readonly tick: Tick;
  readonly seq: Seq;
}

/** What is done with each piece of a run. */
export interface Look {
  /** Run it; absent: it is run as it is. */
  readonly run?: (piece: () => Reason) => Reason;
  /** Look at where it led: whether to stop there, or to go on from where a stop of the engine's is. */
  isOver?(): 'stop' | 'again' | undefined;
}

/** Run on in pieces. */
export function* runOn(session: DebugSession, bound: Bound, look: Look): Work<void> {
  const { timeline } = session.run;
  const { machine } = timeline;
  const seq = Math.min(bound.seq, endSeq(session));
  const from = machine.ticks;
  const way = lastTickOf(session, bound) - from;
  const run = look.run ?? ((piece) => piece());
  for (;;) {
    const before = { tick: machine.ticks, seq: machine.seq };
    if (before.seq >= seq || (before.tick >= bound.tick && isRunning(session))) return;
    const until = { tick: Math.min(bound.tick, before.tick + PIECE), seq: Math.min(seq, before.seq + PIECE_EVENTS) };
    const { why } = run(() => timeline.advance({ ...until, inGuest: true }));
    const over = look.isOver?.();
    const isStill = machine.ticks === before.tick && machine.seq === before.seq;
    if (over !== 'again' && (over === 'stop' || why === 'idle' || why === 'ended' || isStill)) return;
    yield way > 0 ? (machine.ticks - from) / way : undefined;
  }
}

/** The tick a run to a bound ends at. */
function lastTickOf({ run: { events } }: DebugSession, { tick, seq }: Bound): Tick {
  const first = events[0]?.seq ?? 0;
  const last = events[Math.min(events.length, seq - first) - 1];
  return Math.min(tick, last?.tick ?? tick);
}

/**
 * Look at the past window by window, latest first, each run from its start up to the next one's: the first answer, or
 * undefined at the beginning. Windows that end before `least` are not looked at.
 */
export function* searchBack<T>(
  session: DebugSession,
  here: Here,
  least: number,
  look: (bound: Bound, start: number) => Work<T | undefined>,
): Work<T | undefined> {
  const { timeline } = session.run;
  let end = here.tick + (here.isRunning ? 0 : 1);
  const way = end - Math.max(0, least);
  const done = (tick: Tick): number => Math.min(1, (here.tick - tick) / way);
  for (let size = NEAREST; end > 0 && end >= least; size = Math.min(LARGEST, 8 * size)) {
    const start = startOf(timeline.checkpoints, end, size);
    const middle = done((start + end) / 2);
    yield* asPart(session.standing(start), done(end), middle);
    const found = yield* asPart(look({ tick: end, seq: here.seq + 1 }, start), middle, done(start));
    if (found !== undefined) return found;
    end = start;
  }
  return undefined;
}

/** Near windows are small; far ones begin at a checkpoint, so that nothing is run twice. */
function startOf(checkpoints: readonly { readonly tick: Tick }[], end: number, size: number): number {
  if (size < LARGEST) return Math.max(0, end - size);
  return checkpoints.findLast(({ tick }) => tick < end)?.tick ?? 0;
}

/** Ask elsewhere in the run, and be where one was. */
export function* staying<T>(session: DebugSession, ask: Work<T>): Work<T> {
  const here = session.now;
  const { vcpu } = session;
  try {
    return yield* ask;
  } finally {
    yield* session.going(here);
    session.vcpu = vcpu;
  }
}
