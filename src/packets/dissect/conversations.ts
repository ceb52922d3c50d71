/** What a segment of TCP means among those before it. */
import type { Dissection } from './dissection.ts';

/** Connections remembered: of a guest that opens more, the one that was met first is forgotten. */
const MOST = 1 << 16;
const ALL = 2 ** 32;

/** One connection: where each side's numbers begin. */
interface Conversation {
  readonly stream: number;
  /** By the sender's `address:port`. */
  readonly first: Map<string, number>;
}

/**
 * A reader of packets, to be told each, in order. It adds to those of TCP what Wireshark has, too: `tcp.stream`, and
 * sequence numbers counted from the beginning of the connection, or from the first that was seen.
 */
export class Conversations {
  private readonly known = new Map<string, Conversation>();
  private streams = 0;

  next(d: Dissection): void {
    const at = d.protocols.indexOf('tcp');
    const network = d.protocols[at - 1];
    // What an error quotes was sent before.
    if ((network !== 'ip' && network !== 'ipv6') || d.protocols.includes('icmp') || d.protocols.includes('icmpv6'))
      return;
    const flags = d.one('tcp.flags');
    if (flags === undefined) return;
    const [seq, ack] = [Number(d.one('tcp.seq_raw')), Number(d.one('tcp.ack_raw'))];
    const [isSyn, isAck] = [d.one('tcp.flags.syn') === 1, d.one('tcp.flags.ack') === 1];
    const from = `${d.one(`${network}.src`)}:${d.one('tcp.srcport')}`;
    const to = `${d.one(`${network}.dst`)}:${d.one('tcp.dstport')}`;
    const conversation = this.conversation(from, to, isSyn && !isAck ? seq : undefined);
    const { first } = conversation;
    if (!first.has(from)) first.set(from, isSyn ? seq : seq - 1);
    if (isAck && !first.has(to)) first.set(to, ack - 1);
    d.add('tcp.stream', conversation.stream);
    d.add('tcp.seq', (seq - first.get(from)! + ALL) % ALL);
    d.add('tcp.ack', isAck ? (ack - first.get(to)! + ALL) % ALL : ack);
  }

  /** begins: the number with which the sender asks for a new connection. */
  private conversation(from: string, to: string, begins: number | undefined): Conversation {
    const name = from < to ? `${from} ${to}` : `${to} ${from}`;
    const known = this.known.get(name);
    const isNew = begins !== undefined && known?.first.has(from) === true && known.first.get(from) !== begins;
    if (known !== undefined && !isNew) return known;
    const made = { stream: this.streams++, first: new Map<string, number>() };
    this.known.delete(name);
    this.known.set(name, made);
    if (this.known.size > MOST) this.known.delete(this.known.keys().next().value!);
    return made;
  }
}
