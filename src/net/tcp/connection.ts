import type { Ns } from '../../base/units.ts';
import { ipv4Text, ipv6Text } from '../../packets/addresses.ts';
import type { AppState } from '../world/app-state.ts';

/** An address of IPv4 (32 bits) or of IPv6 (128 bits). */
export type Address = number | bigint;

export const addressText = (address: Address): string =>
  typeof address === 'number' ? ipv4Text(address) : ipv6Text(address);

/** RFC 9293, 3.3.2. What is closed is no longer there. */
export const PHASES = [
  'syn-sent',
  'syn-received',
  'established',
  'close-wait',
  'fin-wait-1',
  'fin-wait-2',
  'closing',
  'last-ack',
  'time-wait',
  'closed',
] as const;

export type Phase = (typeof PHASES)[number];

/**
 * Bytes to be sent. Text is kept, a byte a character; what lies in a file the device was made with, or follows a rule,
 * is only named.
 */
export type Piece =
  | { readonly of: 'text'; readonly text: string }
  | { readonly of: 'file'; readonly file: string; readonly offset: number; readonly length: number }
  | { readonly of: 'characters'; readonly offset: number; readonly length: number };

/** What came too early: bytes of the guest behind some that are missing. */
export interface Early {
  readonly sequence: number;
  readonly length: number;
  /** A byte a character; empty where nobody looks at them. */
  readonly text: string;
  readonly fin: boolean;
}

/** The segment whose way there and back is timed. */
export interface Timed {
  readonly sequence: number;
  readonly at: Ns;
}

/** One connection between the guest and a host of the world, as that host's end of it. */
export interface Connection {
  readonly guest: Address;
  readonly guestPort: number;
  readonly host: Address;
  readonly hostPort: number;
  readonly phase: Phase;
  readonly app: AppState;
  /** Bytes the guest has said, and those of ours it has acknowledged. */
  readonly moved: number;
  /** So many and no more; undefined: there is no end to it. */
  readonly stallAfter: number | undefined;
  /** When the last of what was sent is at the guest. */
  readonly arrivesAt: Ns;
  /** IPv4's type of service of what is sent. */
  readonly tos: number;
  /** Most bytes of a segment to the guest. */
  readonly mss: number;

  /** Sequence numbers of ours: the first, the first not acknowledged, the next to send, behind the last sent. */
  readonly first: number;
  readonly unacknowledged: number;
  readonly next: number;
  readonly sentTo: number;
  /** Bytes that are not acknowledged, the first at `unacknowledged`. */
  readonly pieces: readonly Piece[];
  readonly queued: number;
  /** The guest's window, the largest it had, and the segment it is from. */
  readonly window: number;
  readonly largestWindow: number;
  readonly windowSequence: number;
  readonly windowAcknowledgment: number;

  /** Congestion: RFC 5681, and 6582 for `recoverTo`, behind what was sent when a loss was noticed. */
  readonly congestionWindow: number;
  readonly threshold: number;
  readonly duplicates: number;
  readonly recovering: boolean;
  readonly recoverTo: number;
  /** The first segment that is not acknowledged is to be sent again, out of its turn. */
  readonly resend: boolean;

  /** The guest's: the next byte that is awaited, and behind the last it may send. */
  readonly awaited: number;
  readonly offeredTo: number;
  readonly early: readonly Early[];
  /** What was received is to be acknowledged at once. */
  readonly mustAcknowledge: boolean;

  /** Round-trip time, smoothed, its variation, and what follows from them. RFC 6298, in nanoseconds. */
  readonly roundTrip: Ns | undefined;
  readonly variation: Ns;
  readonly timeout: Ns;
  readonly timed: Timed | undefined;
  /** How often in a row nothing came back in time. */
  readonly tries: number;
  readonly heardAt: Ns;

  /** When what is to be done, in virtual nanoseconds. */
  readonly resendAt: Ns | undefined;
  readonly probeAt: Ns | undefined;
  readonly acknowledgeAt: Ns | undefined;
  /** The connection is given up, or forgotten. */
  readonly endAt: Ns | undefined;
}

/** How many connections there may be. */
export const MOST_CONNECTIONS = 512;

/** Most bytes a host has room for, as slirp's TCP_MAXWIN has it: no window is scaled. */
export const MOST_WINDOW = 65_535;

/** Whether a host says and takes nothing any more, though it goes on being there. */
export const isStalled = ({ moved, stallAfter }: Connection): boolean =>
  stallAfter !== undefined && moved >= stallAfter;

/** Phases in which the host has said, or is about to say, that no more comes from it. */
const FINISHING: ReadonlySet<Phase> = new Set(['fin-wait-1', 'closing', 'last-ack']);
/** Phases in which the guest has said so. */
const GUEST_FINISHED: ReadonlySet<Phase> = new Set(['close-wait', 'closing', 'last-ack', 'time-wait', 'closed']);

export const isFinishing = ({ phase }: { readonly phase: Phase }): boolean => FINISHING.has(phase);
export const guestFinished = ({ phase }: { readonly phase: Phase }): boolean => GUEST_FINISHED.has(phase);
export const isOpening = ({ phase }: { readonly phase: Phase }): boolean =>
  phase === 'syn-sent' || phase === 'syn-received';
