/** Packets by who sent them: how many, what became of them, how long each of their hops took. */
import type { Ns, Seq } from '../../base/units.ts';
import type { Pace } from '../../events/costs.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { eventClock } from './report.ts';

/**
 * Where a packet's time goes: from the guest's exit to its sending, or from the packet it answers; from there to who
 * took it; from there to the interrupt that told a processor.
 */
export const HOPS = ['exit > sent', 'packet > sent', 'sent > taken', 'taken > interrupt'] as const;

export type Hop = (typeof HOPS)[number];

/** Packets of one client. */
export interface NetStatistics {
  readonly client: string;
  readonly packets: number;
  readonly bytes: number;
  /** Deliveries: behind a hub there may be several of one packet. */
  readonly taken: number;
  /** How often one had to wait for a client. */
  readonly waited: number;
  /** Losses, by where and why. */
  readonly lost: ReadonlyMap<string, number>;
  /** Virtual nanoseconds, least first. */
  readonly hops: ReadonlyMap<Hop, readonly Ns[]>;
}

interface Counted {
  readonly client: string;
  packets: number;
  bytes: number;
  taken: number;
  waited: number;
  readonly lost: Map<string, number>;
  readonly hops: Map<Hop, Ns[]>;
}

/** A packet that was sent, or taken: what later events count from. */
interface Met {
  readonly row: Counted;
  readonly ns: Ns;
  isTold: boolean;
}

/** What is counted of a run: of the packets those that are meant; absent: all. */
export interface NetCounting {
  readonly pace: Pace;
  readonly isMeant?: ((stamped: Stamped) => boolean) | undefined;
  /** Clients that hand on what they take: taps of bridges. They do not count. Absent: none. */
  readonly passing?: ReadonlySet<string>;
}

/** Numbers of events are kept in pieces of so many. */
const PIECE = 1 << 16;
const NOTHING = -1;

/** A reader of a run that counts its packets. To be told every event, in order. */
export class NetCounts {
  private readonly counting: NetCounting;
  private readonly clock;
  private readonly found = new Map<string, Counted>();
  /** By number: packets that were sent and are meant. */
  private readonly sent = new Map<number, Met>();
  /** Exits, and packets that were taken, which the events after them follow from. */
  private readonly begins: (Ns | Met)[] = [];
  /** By event, from `first` on: the last of these among what led to it, one more than its place. */
  private readonly begunBy: Int32Array[] = [];
  private first = 0;
  private following = 0;

  constructor(counting: NetCounting) {
    this.counting = counting;
    this.clock = eventClock(counting.pace);
  }

  next(stamped: Stamped): void {
    const ns = this.clock.ns(stamped);
    const { event, seq, cause } = stamped;
    let begun = cause === undefined ? NOTHING : this.begunOf(cause);
    switch (event.kind) {
      case 'kvm_exit':
        begun = this.begins.push(ns) - 1;
        break;
      case 'sim:packet_sent':
        this.packetSent(stamped as Stamped<typeof event>, ns, begun);
        break;
      case 'sim:packet_delivered':
        if (this.counting.passing?.has(event.client) !== true) begun = this.taken(event.packet, ns);
        break;
      case 'sim:packet_queued':
        this.count(event.packet, (row) => {
          row.waited += 1;
        });
        break;
      case 'sim:packet_dropped':
        this.count(event.packet, ({ lost }) => addTo(lost, `${event.client}: ${event.why}`));
        break;
      case 'kvm_inj_virq':
        this.interrupted(begun, ns);
        break;
      default:
    }
    this.keep(seq, begun);
  }

  private packetSent(stamped: Stamped<EventOf<'sim:packet_sent'>>, ns: Ns, begun: number): void {
    if (this.counting.isMeant?.(stamped) === false) return;
    const { client, packet, bytes } = stamped.event;
    const row = this.rowOf(client);
    row.packets += 1;
    row.bytes += bytes.length;
    this.sent.set(packet, { row, ns, isTold: false });
    const from = this.begins[begun];
    if (from === undefined) return;
    if (typeof from === 'number') addHop(row, 'exit > sent', ns - from);
    else addHop(row, 'packet > sent', ns - from.ns);
  }

  private taken(packet: number, ns: Ns): number {
    const met = this.sent.get(packet);
    if (met === undefined) return NOTHING;
    met.row.taken += 1;
    addHop(met.row, 'sent > taken', ns - met.ns);
    return this.begins.push({ row: met.row, ns, isTold: false }) - 1;
  }

  /** The first interrupt after a packet was taken tells of it. */
  private interrupted(begun: number, ns: Ns): void {
    const from = this.begins[begun];
    if (from === undefined || typeof from === 'number' || from.isTold) return;
    from.isTold = true;
    addHop(from.row, 'taken > interrupt', ns - from.ns);
  }

  private count(packet: number, act: (row: Counted) => void): void {
    const met = this.sent.get(packet);
    if (met !== undefined) act(met.row);
  }

  private begunOf(seq: Seq): number {
    const at = seq - this.first;
    return (this.begunBy[Math.floor(at / PIECE)]?.[at % PIECE] ?? 0) - 1;
  }

  private keep(seq: Seq, begun: number): void {
    if (seq !== this.following) {
      // A run that begins later, or a trace with a hole.
      this.begunBy.length = 0;
      this.first = seq;
    }
    this.following = seq + 1;
    if (begun === NOTHING) return;
    const at = seq - this.first;
    const place = Math.floor(at / PIECE);
    this.begunBy[place] ??= new Int32Array(PIECE);
    this.begunBy[place][at % PIECE] = begun + 1;
  }

  private rowOf(client: string): Counted {
    let row = this.found.get(client);
    if (row === undefined) {
      row = { client, packets: 0, bytes: 0, taken: 0, waited: 0, lost: new Map(), hops: new Map() };
      this.found.set(client, row);
    }
    return row;
  }

  /** Who sent most first. */
  get rows(): NetStatistics[] {
    for (const { hops } of this.found.values()) for (const all of hops.values()) all.sort((a, b) => a - b);
    return [...this.found.values()].sort(
      (one, other) => other.packets - one.packets || (one.client < other.client ? -1 : 1),
    );
  }
}

const addTo = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);

function addHop({ hops }: Counted, hop: Hop, ns: Ns): void {
  const all = hops.get(hop);
  if (all === undefined) hops.set(hop, [ns]);
  else all.push(ns);
}
