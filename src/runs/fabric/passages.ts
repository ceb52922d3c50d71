/** Which frame that a machine was given is which that another sent: where a run goes on from one machine to another. */
import { crc32 } from '../../base/crc32.ts';
import type { Seq } from '../../base/units.ts';
import { tellsTime } from '../../replay/export/report.ts';
import type { Paced } from './by-clock.ts';
import { isSame, type Passed, type Traffic, trafficOf } from './crossings.ts';
import type { Link, LinkEnd } from './links.ts';
import { MOST_MACHINES } from './manifest.ts';

/** An event of one of several machines, which is named by its place in their list. */
export interface EventOfMachine {
  readonly machine: number;
  readonly seq: Seq;
}

/** One number for an event of one of several machines. */
export const keyOf = ({ machine, seq }: EventOfMachine): number => seq * MOST_MACHINES + machine;

/** The event a number stands for. */
export const eventOf = (key: number): EventOfMachine => ({
  machine: key % MOST_MACHINES,
  seq: Math.floor(key / MOST_MACHINES),
});

const OF_FRAMES: ReadonlySet<string> = new Set([
  ...['sim:packet_sent', 'sim:packet_delivered', 'sim:packet_queued', 'sim:tap_queued'],
  ...['sim:frame_left', 'sim:frame_received'],
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

  /** Where a frame that left a machine came to another (`sim:frame_received`); undefined: it did not. */
  receivedAs(sent: EventOfMachine): EventOfMachine | undefined {
    return this.received.get(keyOf(sent));
  }

  /** What came out of a link went in with the same bytes, before: the first such that has not come out yet. */
  private join(traffic: readonly Traffic[], from: LinkEnd, to: LinkEnd, latencyNs: number): void {
    const waiting = new Map<number, Passed[]>();
    for (const passed of traffic[from.machine]?.out.get(from.dev) ?? []) {
      const alike = waiting.get(crc32(passed.bytes));
      if (alike === undefined) waiting.set(crc32(passed.bytes), [passed]);
      else alike.push(passed);
    }
    for (const came of traffic[to.machine]?.into.get(to.dev) ?? []) {
      const alike = waiting.get(crc32(came.bytes)) ?? [];
      const at = alike.findIndex(({ ns, bytes }) => ns + latencyNs <= came.ns && isSame(bytes, came.bytes));
      if (at < 0) continue;
      const [went] = alike.splice(at, 1);
      const [sent, received] = [
        { machine: from.machine, seq: went!.seq },
        { machine: to.machine, seq: came.seq },
      ];
      this.sent.set(keyOf(received), sent);
      this.received.set(keyOf(sent), received);
    }
  }
}
