import { fact } from './schema.ts';

/** Of a user network `dev`, whose connections are numbered from 1. */
const OF_CONNECTION = { dev: 'text', connection: 'u' } as const;

interface OfConnection {
  readonly dev: string;
  readonly connection: number;
}

const connectionOf = (e: OfConnection): string => `${e.dev} connection ${e.connection}`;

/** Bits of a header's flags, as tcpdump writes them. */
const LETTERS = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W'];
const flagsOf = (flags: number): string => LETTERS.filter((_, bit) => ((flags >> bit) & 1) === 1).join('');

const SENT = { ...OF_CONNECTION, seq: 'u', length: 'u', flags: 'u', window: 'u', at: 'u', due: 'u' } as const;

interface Sent extends OfConnection {
  readonly seq: number;
  readonly length: number;
  readonly flags: number;
  readonly window: number;
}

const sent = (e: Sent): string =>
  `${connectionOf(e)} [${flagsOf(e.flags)}] seq ${e.seq} length ${e.length} window ${e.window}`;

const OF_LINK = { dev: 'text', host: 'text', from: 'text', length: 'u' } as const;

const ofLink = (e: { readonly dev: string; readonly host: string; readonly from: string; readonly length: number }) =>
  `${e.dev} ${e.host} from ${e.from} ${e.length} bytes`;

/**
 * What the TCP of user networking does. Sequence numbers are as they are on the wire, `at` is virtual nanoseconds. due:
 * when the last of what was sent is at the guest.
 */
export const USER_TCP_EVENTS = {
  /**
   * A connection begins. active: the host begins it. service: who answers there. first: the host's first sequence
   * number; guest_first: the guest's, 0 where the host begins. mss: most bytes of a segment to the guest; offers: of
   * one of its. stall: what `stallAfter` is of its service, 0 if it has none.
   */
  'sim:tcp_opened': fact(
    {
      ...OF_CONNECTION,
      guest: 'text',
      guest_port: 'u',
      host: 'text',
      host_port: 'u',
      active: 'bool',
      service: 'text',
      first: 'u',
      guest_first: 'u',
      mss: 'u',
      offers: 'u',
      tos: 'u',
      stall: 'u',
      at: 'u',
    },
    (e) =>
      `${connectionOf(e)} ${e.guest}.${e.guest_port} ${e.active ? '<' : '>'} ${e.host}.${e.host_port} ${e.service}`,
  ),
  /** Both sides have agreed on it. */
  'sim:tcp_established': fact(OF_CONNECTION, connectionOf),
  /**
   * A segment of the guest's counts for a connection, without what had been received before and what lies behind the
   * window: cut bytes, or 1 for a FIN or a probe. offset: where its `length` bytes lie in the packet that came last.
   */
  'sim:tcp_received': fact(
    {
      ...OF_CONNECTION,
      seq: 'u',
      ack: 'u',
      flags: 'u',
      window: 'u',
      length: 'u',
      cut: 'u',
      mss: 'u',
      offset: 'u',
      at: 'u',
    },
    (e) => `${connectionOf(e)} [${flagsOf(e.flags)}] seq ${e.seq} ack ${e.ack} length ${e.length} window ${e.window}`,
  ),
  /** Segments go to the guest, full ones but for the last: length bytes in all. */
  'sim:tcp_sent': fact(SENT, sent),
  /** The same where the guest has been sent them before. */
  'sim:tcp_retransmitted': fact(SENT, sent),
  /** A byte goes to the guest although its window is closed. */
  'sim:tcp_probed': fact(SENT, sent),
  /** There is something to send, and no window for it. */
  'sim:tcp_stalled': fact({ ...OF_CONNECTION, at: 'u' }, connectionOf),
  /** Time is up for what a connection waits for: 'resend', 'probe', 'acknowledge', 'end'. */
  'sim:tcp_timeout': fact({ ...OF_CONNECTION, timer: 'text', at: 'u' }, (e) => `${connectionOf(e)} ${e.timer}`),
  /** A host says something. ends: and then no more. */
  'sim:tcp_said': fact(
    { ...OF_CONNECTION, bytes: 'bytes', ends: 'bool' },
    (e) => `${connectionOf(e)} ${e.bytes.length} bytes${e.ends ? ', the last' : ''}`,
  ),
  /** A host says back what it has heard. */
  'sim:tcp_echoed': fact(OF_CONNECTION, connectionOf),
  /** It is gone. */
  'sim:tcp_closed': fact({ ...OF_CONNECTION, why: 'text' }, (e) => `${connectionOf(e)} ${e.why}`),
  /** A segment of the guest's that belongs to no connection is answered by a reset. */
  'sim:tcp_refused': fact(
    { dev: 'text', guest: 'text', guest_port: 'u', host: 'text', host_port: 'u' },
    (e) => `${e.dev} ${e.guest}.${e.guest_port} > ${e.host}.${e.host_port}`,
  ),
  /** A body begins that a guest sends to an HTTP server. head: characters of the request before it. */
  'sim:http_upload': fact(
    { ...OF_CONNECTION, method: 'text', target: 'text', length: 'u', keeps: 'bool', expects: 'bool', head: 'u' },
    (e) => `${connectionOf(e)} ${e.method} ${e.target} ${e.length} bytes`,
  ),
  /**
   * An HTTP server answers a request, which was `head` characters of what it had heard, by `answer` and bytes of a
   * file. keeps: the connection goes on.
   */
  'sim:http_request': fact(
    {
      ...OF_CONNECTION,
      method: 'text',
      target: 'text',
      status: 'u',
      head: 'u',
      answer: 'bytes',
      file: 'text',
      offset: 'u',
      bytes: 'u',
      keeps: 'bool',
    },
    (e) => `${connectionOf(e)} ${e.method} ${e.target} ${e.status} ${e.bytes} bytes`,
  ),
  /**
   * A server of SSH opens what a guest says: `used` characters of what it had heard, which are a message, or at first
   * the line that says which version it speaks. payload: the bytes of it. message: its name, and what it is about.
   */
  'sim:ssh_heard': fact(
    { ...OF_CONNECTION, message: 'text', payload: 'bytes', used: 'u' },
    (e) => `${connectionOf(e)} ${e.message}`,
  ),
  /**
   * Keys were agreed on, which both sides use from their NEWKEYS on. session: the exchange's hash. Those of either way:
   * 64 bytes of chacha20-poly1305@openssh.com.
   */
  'sim:ssh_keyed': fact({ ...OF_CONNECTION, session: 'bytes', from_guest: 'bytes', to_guest: 'bytes' }, connectionOf),
  /** A server of SSH says a message, or at first its version. payload: the bytes of it, before they are sealed. */
  'sim:ssh_said': fact(
    { ...OF_CONNECTION, message: 'text', payload: 'bytes' },
    (e) => `${connectionOf(e)} ${e.message}`,
  ),
  /**
   * What runs in a channel has come further. begins: what runs from here on ('shell', 'echo', 'hash', 'done'); empty:
   * what ran before. command: the line that is run; used: bytes of what was typed; line: those that are no whole line
   * yet; output, errors: what it says. status: what it has ended with, -1 if it goes on. last: what the last command of
   * a shell has ended with.
   */
  'sim:ssh_ran': fact(
    {
      ...OF_CONNECTION,
      channel: 'u',
      begins: 'text',
      command: 'text',
      used: 'u',
      line: 'bytes',
      output: 'bytes',
      errors: 'bytes',
      status: 'i',
      last: 'u',
    },
    (e) =>
      `${connectionOf(e)} channel ${e.channel}${e.begins === '' ? '' : ` ${e.begins}`}` +
      `${e.command === '' ? '' : ` '${e.command}'`}${e.status < 0 ? '' : ` status ${e.status}`}`,
  ),
  /** A call has come to a step. used: characters of what was heard; until: when a wait is over, 0 if it is none. */
  'sim:call_went_on': fact(
    { ...OF_CONNECTION, step: 'u', used: 'u', until: 'u' },
    (e) => `${connectionOf(e)} step ${e.step}`,
  ),
  /** A call of the world is made. */
  'sim:call_made': fact({ dev: 'text', call: 'u' }, (e) => `${e.dev} call ${e.call}`),
  /** Nobody takes it: it is made again at `next`; 0: it is not. */
  'sim:call_failed': fact({ dev: 'text', call: 'u', next: 'u' }, (e) => `${e.dev} call ${e.call} next ${e.next}`),
  /** A packet of `length` bytes is lost on its way: from 'guest' or 'host'. */
  'sim:link_lost': fact(OF_LINK, ofLink),
  /** It comes twice. */
  'sim:link_duplicated': fact(OF_LINK, ofLink),
  /** It comes so many nanoseconds later than it would. */
  'sim:link_delayed': fact({ ...OF_LINK, by: 'u' }, (e) => `${ofLink(e)} by ${e.by} ns`),
} as const;
