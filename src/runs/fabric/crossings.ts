/** What went between machines of a run, by their traces alone: that each was given what the others sent. */
import type { Ns } from '../../base/units.ts';
import type { Pace } from '../../events/costs.ts';
import { NOTHING } from '../../packets/layout.ts';
import { eventClock, tellsTime } from '../../replay/export/report.ts';
import type { Stamped } from '../../events/stamped.ts';
import { Departures } from './departures.ts';
import type { Link, LinkEnd } from './links.ts';

/** A frame at one end of a link. */
export interface Passed {
  readonly seq: number;
  readonly ns: Ns;
  readonly bytes: Uint8Array;
  readonly header: Uint8Array;
}

/** One that left: how much longer it takes than the link's latency. */
interface Left extends Passed {
  readonly delay: Ns;
}

/** What passed the ends a machine has, by part. */
export interface Traffic {
  /** When the machine's run was over. */
  readonly endNs: Ns;
  readonly out: ReadonlyMap<string, readonly Left[]>;
  readonly into: ReadonlyMap<string, readonly Passed[]>;
}

/** Kinds of events whose time is asked for. */
const OF_TRAFFIC: ReadonlySet<string> = new Set([
  ...['sim:packet_sent', 'sim:packet_delivered', 'sim:packet_dropped', 'sim:frame_left', 'sim:frame_received'],
  'sim:packet_received',
]);

/** Read what passed the ends of a machine's links: `events` are all of its trace. */
export function trafficOf(events: Iterable<Stamped>, pace: Pace): Traffic {
  const clock = eventClock(pace);
  let endNs = 0;
  const departures = new Departures(() => endNs);
  const out = new Map<string, Left[]>();
  const into = new Map<string, Passed[]>();
  for (const stamped of events) {
    const { event, seq } = stamped;
    if (tellsTime(event.kind) || OF_TRAFFIC.has(event.kind)) endNs = clock.ns(stamped);
    departures.next(stamped);
    if (event.kind === 'sim:frame_received' || event.kind === 'sim:packet_received') {
      const { dev, bytes } = event;
      const header = event.kind === 'sim:packet_received' ? event.header : NOTHING;
      passedAt(into, dev).push({ seq, ns: endNs, bytes, header });
    }
    for (const { dev, ...left } of departures.takeAll()) passedAt(out, dev).push({ seq, ...left });
  }
  return { endNs, out, into };
}

function passedAt<P>(ends: Map<string, P[]>, dev: string): P[] {
  const there = ends.get(dev) ?? [];
  ends.set(dev, there);
  return there;
}

/** A frame that left, as it comes out at the other end: not before `arrives`. */
interface Arriving extends Left {
  readonly arrives: Ns;
}

/** What comes out of a way of this latency, in its order there: late ones behind others that left after them. */
export const arrivingFrom = (went: readonly Left[], latencyNs: Ns): readonly Arriving[] =>
  went
    .map((left) => ({ ...left, arrives: left.ns + latencyNs + left.delay }))
    .sort((one, other) => one.arrives - other.arrives);

/** What links carried, and what is wrong with it. */
export interface Crossings {
  readonly frames: number;
  readonly faults: readonly string[];
}

/** A machine and what passed its ends. */
export interface Party {
  readonly name: string;
  readonly traffic: Traffic;
}

/** Hold what came out of each link to what went in. */
export function crossings(parties: readonly Party[], links: readonly Link[]): Crossings {
  let frames = 0;
  const faults: string[] = [];
  for (const { ends, latencyNs } of links) {
    for (const [from, to] of [ends, [ends[1], ends[0]] as const]) {
      const way = wayOf(parties, latencyNs, [from, to]);
      frames += way.came.length;
      const fault = faultOf(way);
      if (fault !== undefined) faults.push(fault);
    }
  }
  return { frames, faults };
}

interface Way {
  readonly from: string;
  readonly to: string;
  readonly coming: readonly Arriving[];
  readonly came: readonly Passed[];
  /** When whom it goes to was over. */
  readonly endNs: Ns;
}

function wayOf(parties: readonly Party[], latencyNs: Ns, [from, to]: readonly [LinkEnd, LinkEnd]): Way {
  const [sender, receiver] = [parties[from.machine]!, parties[to.machine]!];
  return {
    from: `${sender.name} ${from.dev}`,
    to: `${receiver.name} ${to.dev}`,
    coming: arrivingFrom(sender.traffic.out.get(from.dev) ?? [], latencyNs),
    came: receiver.traffic.into.get(to.dev) ?? [],
    endNs: receiver.traffic.endNs,
  };
}

/** The first that is not as it was sent; what was still on its way when a machine was over is none. */
function faultOf({ from, to, coming, came, endNs }: Way): string | undefined {
  for (const [at, { seq, ns, bytes, header }] of came.entries()) {
    const sent = coming[at];
    if (sent === undefined) return `${to} was given a frame at event ${seq} that ${from} did not send`;
    if (!isSame(sent.bytes, bytes) || !isSame(sent.header, header))
      return `${to} was given at event ${seq} another frame than ${from} sent at ${sent.seq}`;
    if (ns < sent.arrives) return `${to} was given at event ${seq} what ${from} sent at ${sent.seq} before its time`;
  }
  const missed = coming[came.length];
  if (missed === undefined || missed.arrives >= endNs) return undefined;
  return `${to} was not given what ${from} sent at event ${missed.seq}`;
}

export const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);
