import type { Seq, Tick } from '../../base/units.ts';
import type { DebugSession } from '../session.ts';

/** Ticks of one piece of a journey. */
const PIECE = 4_000_000;
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

/** Be where a tick is first reached and a processor is about to execute. */
export function stand(session: DebugSession, tick: Tick): void {
  const { timeline } = session.run;
  const isBehind = timeline.machine.ticks < tick;
  timeline.seek(isBehind ? tick : Math.max(0, tick - 1));
  timeline.advance({ tick, inGuest: true, seq: endSeq(session) });
}

/** How far `runOn` runs: whichever comes first. */
export interface Bound {
  readonly tick: Tick;
  readonly seq: Seq;
}

/** Run on in pieces; `isOver` looks after each and says whether to stop there. */
export function runOn(session: DebugSession, bound: Bound, isOver: () => 'stop' | 'again' | undefined): void {
  const { timeline } = session.run;
  const { machine } = timeline;
  const seq = Math.min(bound.seq, endSeq(session));
  for (;;) {
    const before = { tick: machine.ticks, seq: machine.seq };
    if (before.seq >= seq || (before.tick >= bound.tick && isRunning(session))) return;
    const { why } = timeline.advance({ tick: Math.min(bound.tick, before.tick + PIECE), inGuest: true, seq });
    const over = isOver();
    if (over === 'again') continue;
    const isStill = machine.ticks === before.tick && machine.seq === before.seq;
    if (over === 'stop' || why === 'idle' || why === 'ended' || isStill) return;
  }
}

/**
 * Look at the past window by window, latest first, each run from its start up to the next one's: the first answer, or
 * undefined at the beginning. Windows that end before `least` are not looked at.
 */
export function searchBack<T>(
  session: DebugSession,
  here: Here,
  least: number,
  look: (bound: Bound, start: number) => T | undefined,
): T | undefined {
  const { timeline } = session.run;
  let end = here.tick + (here.isRunning ? 0 : 1);
  for (let size = NEAREST; end > 0 && end >= least; size = Math.min(LARGEST, 8 * size)) {
    const start = startOf(timeline.checkpoints, end, size);
    stand(session, start);
    const found = look({ tick: end, seq: here.seq + 1 }, start);
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
export function staying<T>(session: DebugSession, ask: () => T): T {
  const here = session.now;
  const { vcpu } = session;
  try {
    return ask();
  } finally {
    session.goTo(here);
    session.vcpu = vcpu;
  }
}
