/** What facts do to a connection to a server of SSH. */
import { latin1 } from '../../../base/bytes.ts';
import type { Draft } from '../../../base/draft.ts';
import { SHA256_START, sha256Add } from '../../../base/sha256.ts';
import type { EventOf } from '../../../events/vocabulary.ts';
import { enqueue } from '../../tcp/buffer.ts';
import type { Connection } from '../../tcp/connection.ts';
import { sealPacket } from './binary-packet.ts';
import { asksForStrict, guessesWrong } from './key-exchange.ts';
import { type Message, messageIn, type OpenRequest } from './messages.ts';
import {
  type Channel,
  CHANNEL_WINDOW,
  type Direction,
  MOST_CHANNELS,
  MOST_LINE,
  type Program,
  type SshState,
} from './state.ts';

type Ssh = Draft<SshState>;

const SEQUENCES = 2 ** 32;
const MOST_WINDOW = SEQUENCES - 1;
/** More than any command says. */
const MOST_SAID = 2 ** 18;
/** The two keys of one way. */
const KEYS = 64;

/** Whether a guest may open another channel. No two have one name there. */
export const mayOpen = ({ channels }: SshState, { type, peer }: OpenRequest): boolean =>
  type === 'session' && channels.length < MOST_CHANNELS && !channels.some((channel) => channel.peer === peer);

/** What a guest said is opened: its line of identification first, then messages. */
export function sshHeard({ app }: Draft<Connection>, { payload, used }: EventOf<'sim:ssh_heard'>): void {
  if (app.kind !== 'ssh') return;
  app.heard = app.heard.slice(used);
  if (app.guestVersion === '') {
    app.guestVersion = latin1(payload.subarray(0, MOST_LINE));
    return;
  }
  countPacket(app.fromGuest);
  if (app.exchange?.skips === true) {
    app.exchange.skips = false;
    return;
  }
  const message = messageIn(payload);
  if (message !== undefined) hears(app, message, payload);
}

function countPacket(way: Draft<Direction>): void {
  way.sequence = (way.sequence + 1) % SEQUENCES;
}

function hears(app: Ssh, message: Message, payload: Uint8Array): void {
  switch (message.is) {
    case 'offer':
      if (app.session === '') app.isStrict = asksForStrict(message);
      app.exchange = {
        ...{ ours: app.exchange?.ours ?? '', theirs: latin1(payload), isKeyed: false },
        skips: guessesWrong(message),
      };
      return;
    case 'newkeys':
      app.exchange = undefined;
      newKeys(app, app.fromGuest);
      return;
    case 'open':
      if (mayOpen(app, message)) app.channels.push(newChannel(app, message));
      return;
    case 'disconnect':
      app.isOver = true;
      return;
    default:
      if ('channel' in message) hearsInChannel(app, message);
  }
}

/** Keys that were agreed on are used from here on. */
function newKeys({ isStrict }: Ssh, way: Draft<Direction>): void {
  way.keys = way.next;
  way.next = '';
  if (isStrict) way.sequence = 0;
}

function newChannel({ channels }: Ssh, { peer, window, most }: OpenRequest): Draft<Channel> {
  const taken = new Set(channels.map(({ number }) => number));
  const number = Array.from({ length: MOST_CHANNELS }, (_, at) => at).find((at) => !taken.has(at))!;
  return {
    ...{ number, peer, window, most, offered: CHANNEL_WINDOW, hasTerminal: false, program: undefined },
    ...{ typed: '', output: '', errors: '', status: undefined },
    ...{ guestEnds: false, guestCloses: false, isClosing: false },
  };
}

type InChannel = Extract<Message, { readonly channel: number }>;

function hearsInChannel(app: Ssh, message: InChannel): void {
  const channel = app.channels.find(({ number }) => number === message.channel);
  if (channel === undefined) return;
  switch (message.is) {
    case 'adjust':
      channel.window = Math.min(channel.window + message.bytes, MOST_WINDOW);
      return;
    case 'data':
      channel.offered = Math.max(channel.offered - message.data.length, 0);
      takes(channel, message.data);
      return;
    case 'errors':
      channel.offered = Math.max(channel.offered - message.data.length, 0);
      return;
    case 'eof':
      channel.guestEnds = true;
      return;
    case 'close':
      channel.guestCloses = true;
      forgetClosed(app);
      return;
    default:
      if (message.type === 'pty-req' && channel.program === undefined) channel.hasTerminal = true;
  }
}

/** What nobody reads any more is lost. A guest says no more than it may; a trace says what it likes. */
function takes(channel: Draft<Channel>, data: Uint8Array): void {
  const { program, status } = channel;
  if (status !== undefined) return;
  if (program?.is === 'echo') channel.output = (channel.output + latin1(data)).slice(0, CHANNEL_WINDOW);
  else if (program?.is === 'hash') sha256Add(program.hash, data);
  else channel.typed = (channel.typed + latin1(data)).slice(0, CHANNEL_WINDOW);
}

/** Who both sides have closed is no more. */
function forgetClosed(app: Ssh): void {
  app.channels = app.channels.filter(({ guestCloses, isClosing }) => !(guestCloses && isClosing));
}

/** The server says something: its line of identification first, then messages, which are sealed. */
export function sshSaid(connection: Draft<Connection>, { payload }: EventOf<'sim:ssh_said'>): void {
  const { app } = connection;
  if (app.kind !== 'ssh') return;
  if (!app.hasGreeted) {
    app.hasGreeted = true;
    enqueue(connection, { of: 'text', text: latin1(payload) });
    return;
  }
  enqueue(connection, { of: 'text', text: latin1(sealPacket(payload, app.toGuest)) });
  countPacket(app.toGuest);
  const message = messageIn(payload);
  if (message !== undefined) says(app, message, payload);
}

function says(app: Ssh, message: Message, payload: Uint8Array): void {
  switch (message.is) {
    case 'offer':
      app.exchange = { theirs: '', skips: false, isKeyed: false, ...app.exchange, ours: latin1(payload) };
      return;
    case 'newkeys':
      newKeys(app, app.toGuest);
      return;
    case 'failure':
      app.failures += 1;
      return;
    case 'success':
      app.isIn = true;
      return;
    case 'disconnect':
      app.isOver = true;
      return;
    default:
      if ('channel' in message) saysInChannel(app, message);
  }
}

function saysInChannel(app: Ssh, message: InChannel): void {
  const channel = app.channels.find(({ peer }) => peer === message.channel);
  if (channel === undefined) return;
  if (message.is === 'adjust') channel.offered = Math.min(channel.offered + message.bytes, CHANNEL_WINDOW);
  if (message.is === 'data' || message.is === 'errors') {
    channel.window = Math.max(channel.window - message.data.length, 0);
    if (message.is === 'data') channel.output = channel.output.slice(message.data.length);
    else channel.errors = channel.errors.slice(message.data.length);
  }
  if (message.is === 'close') {
    channel.isClosing = true;
    forgetClosed(app);
  }
}

/** Keys were agreed on: each side begins to use them with its NEWKEYS. */
export function sshKeyed({ app }: Draft<Connection>, e: EventOf<'sim:ssh_keyed'>): void {
  if (app.kind !== 'ssh' || e.from_guest.length !== KEYS || e.to_guest.length !== KEYS) return;
  if (app.session === '') app.session = latin1(e.session);
  if (app.exchange !== undefined) app.exchange.isKeyed = true;
  app.fromGuest.next = latin1(e.from_guest);
  app.toGuest.next = latin1(e.to_guest);
}

/** What runs in a channel has begun, or come further. */
export function sshRan({ app }: Draft<Connection>, e: EventOf<'sim:ssh_ran'>): void {
  const channel = app.kind === 'ssh' ? app.channels.find(({ number }) => number === e.channel) : undefined;
  if (channel === undefined) return;
  if (e.begins !== '') channel.program = programOf(e.begins);
  const { program } = channel;
  if (program?.is === 'shell') {
    program.line = latin1(e.line);
    program.last = e.last;
  }
  channel.typed = channel.typed.slice(e.used);
  channel.output = (channel.output + latin1(e.output)).slice(0, MOST_SAID);
  channel.errors = (channel.errors + latin1(e.errors)).slice(0, MOST_SAID);
  if (e.status < 0) return;
  channel.status = e.status;
  channel.typed = '';
}

function programOf(name: string): Draft<Program> {
  switch (name) {
    case 'shell':
      return { is: 'shell', line: '', last: 0 };
    case 'echo':
      return { is: 'echo' };
    case 'hash':
      return { is: 'hash', hash: { ...SHA256_START, words: [...SHA256_START.words] } };
    default:
      return { is: 'done' };
  }
}
