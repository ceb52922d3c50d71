/** What became of packets: who took them, who lost them and why. */
import { onOneLine } from '../../base/printable.ts';
import type { Ns, Seq } from '../../base/units.ts';
import type { Pace } from '../../events/costs.ts';
import type { Stamped } from '../../events/stamped.ts';
import { eventClock, tellsTime } from '../export/report.ts';

/** Something that happened to a packet after it was sent. */
export interface Fate {
  readonly what: 'taken' | 'lost' | 'waited';
  readonly client: string;
  readonly why: string | undefined;
  readonly seq: Seq;
  /** Virtual nanoseconds since it was sent. */
  readonly after: Ns;
}

/** A packet, by where it was sent. */
export interface PacketFates {
  readonly sent: Seq;
  readonly ns: Ns;
  readonly fates: Fate[];
}

/** Told of one packet at most: one that is offered again and again waits once. */
const MOST = 16;

const KINDS: Readonly<Record<string, Fate['what']>> = {
  'sim:packet_delivered': 'taken',
  'sim:packet_dropped': 'lost',
  'sim:packet_queued': 'waited',
};

/** A reader of a run that keeps what became of each packet. To be told every event of `tellsOfFates`, in order. */
export class FatesOfPackets {
  readonly found = new Map<number, PacketFates>();
  private readonly clock;

  constructor(pace: Pace) {
    this.clock = eventClock(pace);
  }

  next(stamped: Stamped): void {
    const ns = this.clock.ns(stamped);
    const { event, seq } = stamped;
    if (event.kind === 'sim:packet_sent') this.found.set(event.packet, { sent: seq, ns, fates: [] });
    const what = KINDS[event.kind];
    if (what === undefined || !('packet' in event) || !('client' in event)) return;
    const packet = this.found.get(event.packet);
    if (packet === undefined || packet.fates.length >= MOST) return;
    const why = event.kind === 'sim:packet_dropped' ? event.why : undefined;
    packet.fates.push({ what, client: event.client, why, seq, after: ns - packet.ns });
  }
}

/** Kinds of events that a reader of fates has to be told. */
export const tellsOfFates = (kind: string): boolean =>
  kind === 'sim:packet_sent' || Object.hasOwn(KINDS, kind) || tellsTime(kind);

const microseconds = (ns: Ns): string => `${(ns / 1000).toFixed(3)} us`;

/** In words. */
export function fateText({ what, client, why, seq, after }: Fate): string {
  const words = { taken: 'taken by', lost: 'lost at', waited: 'waited for' }[what];
  return onOneLine(`${words} ${client} #${seq}, ${microseconds(after)} later${why === undefined ? '' : `: ${why}`}`);
}
