import type { Ns } from '../../base/units.ts';
import type { Pace } from '../../events/costs.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { Conversations } from '../../packets/dissect/conversations.ts';
import { dissect } from '../../packets/dissect/dissect.ts';
import type { Dissection } from '../../packets/dissect/dissection.ts';
import type { NetClientConfig } from '../../vmm/config.ts';
import { eventClock, tellsTime } from '../export/report.ts';
import { farEnds } from './wires.ts';

/** A packet, where it was sent. */
export interface PacketTold {
  readonly stamped: Stamped<EventOf<'sim:packet_sent'>>;
  /** Virtual nanosecond since power-on. */
  readonly ns: Ns;
  /** Who is at the other end of the sender's wire. */
  readonly peers: readonly string[];
  readonly dissected: Dissection;
}

/** The machine whose packets are read. */
export interface PacketMachine extends Pace {
  /** Ends of its wires. */
  readonly net: readonly NetClientConfig[];
}

/** A reader of a run that takes its packets apart. To be told, in order, every event of `tellsOfPackets`. */
export class PacketReader {
  private readonly clock;
  private readonly net: readonly NetClientConfig[];
  private readonly peers = new Map<string, readonly string[]>();
  private readonly conversations = new Conversations();

  constructor({ net, ...pace }: PacketMachine) {
    this.clock = eventClock(pace);
    this.net = net;
  }

  /** The packet an event sends; undefined: it sends none. */
  next(stamped: Stamped): PacketTold | undefined {
    const ns = this.clock.ns(stamped);
    if (!isSent(stamped)) return undefined;
    const dissected = dissect(stamped.event.bytes);
    this.conversations.next(dissected);
    return { stamped, ns, peers: this.peersOf(stamped.event.client), dissected };
  }

  private peersOf(client: string): readonly string[] {
    let peers = this.peers.get(client);
    if (peers === undefined) {
      peers = farEnds(this.net, client);
      this.peers.set(client, peers);
    }
    return peers;
  }
}

const SENT = 'sim:packet_sent';

export const isSent = (stamped: Stamped): stamped is PacketTold['stamped'] => stamped.event.kind === SENT;

/** Kinds of events that a reader of packets has to be told. */
export const tellsOfPackets = (kind: string): boolean => kind === SENT || tellsTime(kind);
