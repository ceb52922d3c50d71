/** Which frame that a machine was given is which that another sent: where a run goes on from one machine to another. */
import type { Seq } from '../../base/units.ts';
import { tellsTime } from '../../replay/export/report.ts';
import type { Paced } from './by-clock.ts';
import { arrivingFrom, isSame, type Traffic, trafficOf } from './crossings.ts';
import type { Link, LinkEnd } from './links.ts';
import { MOST_MEMBERS } from './manifest.ts';

/** An event of one of several machines, which is named by its place in their list. */
export interface EventOfMachine {
  readonly machine: number;
  readonly seq: Seq;
}

/** One number for an event of one of several machines. */
export const keyOf = ({ machine, seq }: EventOfMachine): number => seq * MOST_MEMBERS + machine;

/** The event a number stands for. */
export const eventOf = (key: number): EventOfMachine => ({
  machine: key % MOST_MEMBERS,
  seq: Math.floor(key / MOST_MEMBERS),
});

const OF_FRAMES: ReadonlySet<string> = new Set([
  ...['sim:packet_sent', 'sim:packet_delivered', 'sim:packet_queued', 'sim:tap_queued'],
  ...['sim:frame_left', 'sim:frame_delayed', 'sim:frame_received', 'sim:packet_received'],
]);

/** Kinds of events that `trafficOf` has to be told for a `Passages`. */
export const tellsOfFrames = (kind: string): boolean => OF_FRAMES.has(kind) || tellsTime(kind);

/** What went between machines, by their events. */
export const passagesBetween = (runs: readonly Paced[], links: readonly Link[]): Passages =>
  new Passages(
    runs.map(({ events, pace }) => trafficOf(events, pace)),
    links,
  );

/** The frames that went from machine to machine, by the events that tell of them at either end. */
export class Passages {
  private readonly sent = new Map<number, EventOfMachine>();
  private readonly received = new Map<number, EventOfMachine>();

  /** `traffic`: of each machine. */
  constructor(traffic: readonly Traffic[], links: readonly Link[]) {
    for (const { ends, latencyNs } of links) {
      this.join(traffic, ends[0], ends[1], latencyNs);
      this.join(traffic, ends[1], ends[0], latencyNs);
    }
  }

  /** Where a frame that came to a machine had left another (`sim:frame_left`); undefined: nobody knows. */
  sentAs(received: EventOfMachine): EventOfMachine | undefined {
    return this.sent.get(keyOf(received));
  }

  /** Where one that left came to another (`sim:frame_received`, `sim:packet_received`); undefined: it did not. */
  receivedAs(sent: EventOfMachine): EventOfMachine | undefined {
    return this.received.get(keyOf(sent));
  }

  /** What comes out of a link has gone in, and comes in its order: what is lost on it has never left. */
  private join(traffic: readonly Traffic[], from: LinkEnd, to: LinkEnd, latencyNs: number): void {
    const coming = arrivingFrom(traffic[from.machine]?.out.get(from.dev) ?? [], latencyNs);
    for (const [at, came] of (traffic[to.machine]?.into.get(to.dev) ?? []).entries()) {
      const went = coming[at];
      // Somebody may have written what no machine did.
      if (went === undefined || !isSame(went.bytes, came.bytes)) continue;
      const sent = { machine: from.machine, seq: went.seq };
      const received = { machine: to.machine, seq: came.seq };
      this.sent.set(keyOf(received), sent);
      this.received.set(keyOf(sent), received);
    }
  }
}
