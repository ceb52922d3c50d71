import { type GuestView, linearRip } from '../../src/machine/guest-view.ts';
import type { DebugSession } from '../../src/debugger/session.ts';

/** What a look at every instruction of a run found: `after` is the tick at which the value is first another one. */
export interface Seen {
  readonly after: number;
  readonly before: string;
  readonly now: string;
}

/** Look at every place of a run in order, one instruction at a time, without any stop. */
export function lookEverywhere(
  session: DebugSession,
  to: number,
  look: (view: GuestView, tick: number, seq: number) => void,
  from = 0,
): void {
  const { timeline } = session.run;
  timeline.seek(from);
  for (let tick = from; tick <= to; tick += 1) {
    timeline.advance({ tick, inGuest: true });
    const { ticks, seq } = timeline.machine;
    if (ticks === tick) look(session.view, tick, seq);
  }
}

/** Every change of a value from place to place. */
export function changesSeen(session: DebugSession, to: number, read: (view: GuestView) => string): Seen[] {
  const seen: Seen[] = [];
  let before: string | undefined;
  lookEverywhere(session, to, (view, after) => {
    const now = read(view);
    if (before !== undefined && now !== before) seen.push({ after, before, now });
    before = now;
  });
  return seen;
}

/** Ticks at which a run is about to execute the instruction at a linear address. */
export function ticksAt(session: DebugSession, to: number, address: bigint): number[] {
  const ticks: number[] = [];
  lookEverywhere(session, to, (view, tick) => {
    if (linearRip(view, 0) === address) ticks.push(tick);
  });
  return ticks;
}
