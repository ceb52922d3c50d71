import type { Draft } from '../../../base/draft.ts';
import type { Sha256State } from '../../../base/sha256.ts';

/** One way of a connection: the keys its packets are sealed with, those that were agreed on since, and their number. */
export interface Direction {
  /** 64 bytes, a byte a character; empty: packets are not sealed yet. */
  readonly keys: string;
  readonly next: string;
  /** Of the next packet, modulo 2^32. */
  readonly sequence: number;
}

/** Keys are being agreed on: both KEXINIT, as payloads; empty: not said yet. A byte a character. */
export interface Exchange {
  readonly ours: string;
  readonly theirs: string;
  /** The guest has guessed wrong what would be agreed on: its next packet is void. */
  readonly skips: boolean;
  /** Keys were agreed on, and wait for the guest to say so. */
  readonly isKeyed: boolean;
}

/** What runs in a channel. */
export type Program =
  | { readonly is: 'done' }
  /** Takes lines. `line`: what is typed of one; `last`: what the command before ended with. */
  | { readonly is: 'shell'; readonly line: string; readonly last: number }
  /** Says back what it hears. */
  | { readonly is: 'echo' }
  /** Says at the end what the SHA-256 is of what it heard. */
  | { readonly is: 'hash'; readonly hash: Sha256State };

/** A session of RFC 4254. */
export interface Channel {
  /** What it is called here, and what the guest calls it. */
  readonly number: number;
  readonly peer: number;
  /** Bytes that may be said to the guest, and of one message. */
  readonly window: number;
  readonly most: number;
  /** Bytes that the guest may say. */
  readonly offered: number;
  readonly hasTerminal: boolean;
  /** undefined: none was asked for. */
  readonly program: Program | undefined;
  /** What was heard and no program has used; what is to be said, by stream. A byte a character. */
  readonly typed: string;
  readonly output: string;
  readonly errors: string;
  /** What the program ended with. */
  readonly status: number | undefined;
  /** The guest says no more; it has closed the channel; we have. */
  readonly guestEnds: boolean;
  readonly guestCloses: boolean;
  readonly isClosing: boolean;
}

/** A connection to a server of SSH: RFC 4251 to 4254. */
export interface SshState {
  readonly kind: 'ssh';
  /** What was heard and is not opened yet: a byte a character. */
  readonly heard: string;
  /** The server has said which version it speaks. */
  readonly hasGreeted: boolean;
  /** The guest's line of identification; empty: not heard. */
  readonly guestVersion: string;
  readonly exchange: Exchange | undefined;
  /** Packets are counted anew with each change of keys: OpenSSH's `kex-strict`. */
  readonly isStrict: boolean;
  /** What identifies the session: the first exchange's hash. */
  readonly session: string;
  readonly fromGuest: Direction;
  readonly toGuest: Direction;
  /** The guest has shown who it is. */
  readonly isIn: boolean;
  readonly failures: number;
  readonly channels: readonly Channel[];
  /** Somebody has said that it is over. */
  readonly isOver: boolean;
}

const UNSEALED = { keys: '', next: '', sequence: 0 };

/** As a connection begins. */
export const sshAtFirst = (): Draft<SshState> => ({
  ...{ kind: 'ssh', heard: '', hasGreeted: false, guestVersion: '', exchange: undefined, isStrict: false },
  ...{ session: '', fromGuest: { ...UNSEALED }, toGuest: { ...UNSEALED } },
  ...{ isIn: false, failures: 0, channels: [], isOver: false },
});

/** RFC 4253, 4.2: the longest line of identification. */
export const MOST_LINE = 255;

/** So many channels at once, as sshd's MaxSessions has it. */
export const MOST_CHANNELS = 10;

/** So many bytes a guest may say in a channel before they are used. */
export const CHANNEL_WINDOW = 64 * 1024;

/** So many in one message, as OpenSSH has it. */
export const MOST_MESSAGE = 32 * 1024;
