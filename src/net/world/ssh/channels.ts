/** Sessions of a guest that is in: RFC 4254. */
import { bytesOf } from '../say.ts';
import { type ChannelRequest, MESSAGES, type OpenRequest } from './messages.ts';
import { type Begun, execute, nextStep, shellBegins, type Step } from './program.ts';
import { type Session, tell } from './session.ts';
import { type Channel, CHANNEL_WINDOW, MOST_MESSAGE } from './state.ts';
import { joined, nameList, sized, word } from './wire.ts';

/** RFC 4254, 5.1. */
const ADMINISTRATIVELY_PROHIBITED = 1;
const UNKNOWN_TYPE = 3;

/** A guest has asked for a channel, and has it or not. */
export function answerOpen(session: Session, { type, peer }: OpenRequest, isOpen: boolean): void {
  const channel = session.app.channels.find((each) => each.peer === peer);
  if (isOpen && channel !== undefined) {
    const numbers = [peer, channel.number, CHANNEL_WINDOW, MOST_MESSAGE].map(word);
    tell(session, joined(MESSAGES.CHANNEL_OPEN_CONFIRMATION, ...numbers));
    return;
  }
  const reason = type === 'session' ? ADMINISTRATIVELY_PROHIBITED : UNKNOWN_TYPE;
  tell(session, joined(MESSAGES.CHANNEL_OPEN_FAILURE, word(peer), word(reason), sized('open failed'), nameList()));
}

/** Something is asked of a channel. */
export function answerRequest(session: Session, request: ChannelRequest): void {
  const channel = session.app.channels.find(({ number }) => number === request.channel);
  if (channel === undefined) return;
  const begun = begins(session, channel, request);
  if (request.wantsReply) {
    const isDone = begun !== undefined || (request.type === 'pty-req' && channel.program === undefined);
    tell(session, joined(isDone ? MESSAGES.CHANNEL_SUCCESS : MESSAGES.CHANNEL_FAILURE, word(channel.peer)));
  }
  if (begun !== undefined) ran(session, channel, begun, begun.program);
}

/** What is run for a request; undefined: nothing, or something runs already. */
function begins({ service }: Session, channel: Channel, { type, command }: ChannelRequest): Begun | undefined {
  if (channel.program !== undefined) return undefined;
  if (type === 'shell') return shellBegins(channel);
  return type === 'exec' ? execute(service.commands ?? [], command) : undefined;
}

function ran({ net: { effects }, connection }: Session, { number }: Channel, step: Step, begins = ''): void {
  const { command, used, line, output, errors, status = -1, last } = step;
  effects.raise({
    ...{ kind: 'sim:ssh_ran', dev: effects.name, connection, channel: number, begins, command, used },
    ...{ line: bytesOf(line), output: bytesOf(output), errors: bytesOf(errors), status, last },
  });
}

/** Let programs go on, and say what they have said, as far as the guest takes it. Whether there was any of that. */
export function speakInChannels(session: Session): boolean {
  return session.app.channels.some((channel) => goOn(session, channel) || speak(session, channel));
}

function goOn(session: Session, channel: Channel): boolean {
  if (channel.guestCloses || channel.isClosing) return false;
  const step = nextStep(session.service.commands ?? [], channel);
  if (step !== undefined) ran(session, channel, step);
  return step !== undefined;
}

function speak(session: Session, channel: Channel): boolean {
  const { output, errors, status, isClosing, guestCloses } = channel;
  if (isClosing) return false;
  if (guestCloses) return close(session, channel);
  if (sends(session, channel)) return true;
  if (status === undefined || output !== '' || errors !== '') return givesRoom(session, channel);
  tell(session, joined(MESSAGES.CHANNEL_EOF, word(channel.peer)));
  const request = [sized('exit-status'), 0, word(status)];
  tell(session, joined(MESSAGES.CHANNEL_REQUEST, word(channel.peer), ...request));
  return close(session, channel);
}

function close(session: Session, { peer }: Channel): true {
  tell(session, joined(MESSAGES.CHANNEL_CLOSE, word(peer)));
  return true;
}

/** RFC 4254, 5.2. */
const STDERR = 1;
/** Longest piece of what is said at once. */
const MOST_PIECE = 16 * 1024;

/** What is to be said, as far as there is a window for it. */
function sends(session: Session, { peer, window, most, output, errors }: Channel): boolean {
  const room = Math.min(window, most, MOST_PIECE);
  if (room <= 0 || (output === '' && errors === '')) return false;
  const data = sized(bytesOf((output === '' ? errors : output).slice(0, room)));
  if (output !== '') tell(session, joined(MESSAGES.CHANNEL_DATA, word(peer), data));
  else tell(session, joined(MESSAGES.CHANNEL_EXTENDED_DATA, word(peer), word(STDERR), data));
  return true;
}

/** What was used of a window is given again once that is half of it. */
function givesRoom(session: Session, channel: Channel): boolean {
  const { offered, typed, output, program, peer, guestEnds } = channel;
  const kept = typed.length + (program?.is === 'echo' ? output.length : 0);
  const more = CHANNEL_WINDOW - offered - kept;
  if (guestEnds || more < CHANNEL_WINDOW / 2) return false;
  tell(session, joined(MESSAGES.CHANNEL_WINDOW_ADJUST, word(peer), word(more)));
  return true;
}
