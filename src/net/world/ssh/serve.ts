/** A server of SSH: what it does about what it has heard. */
import { unreachable } from '../../../base/invariant.ts';
import { NOTHING } from '../../../packets/layout.ts';
import { textQueued } from '../../tcp/buffer.ts';
import type { UserNet } from '../../user/part.ts';
import { bytesOf, say } from '../say.ts';
import { hostAt, type Service } from '../world.ts';
import { authenticate } from './authenticate.ts';
import { openPacket } from './binary-packet.ts';
import { answerOpen, answerRequest, speakInChannels } from './channels.ts';
import { complaintAbout } from './complaint.ts';
import { mayOpen } from './evolve.ts';
import { hostKeyOf } from './host-key.ts';
import { disagreement, kexInit, keysOf, VERSION } from './key-exchange.ts';
import { type Message, MESSAGES, messageIn, messageText, type Offer } from './messages.ts';
import { disconnect, greet, type Session, tell } from './session.ts';
import { MOST_LINE } from './state.ts';
import { joined, sized, word } from './wire.ts';

/** The stream of chance that keys are drawn from. */
const CHANCE = 'net.ssh';
const COOKIE = 16;
const SECRET = 32;

/** While so many bytes wait for the guest to take them nothing more is heard. */
const MOST_QUEUED = 64 * 1024;

/** Do what there is to do on a connection: until it has to wait. */
export function serveSsh(net: UserNet, connection: number, service: Service): void {
  for (;;) {
    const known = net.state.tcp.connections[connection];
    const host = known === undefined ? undefined : hostAt(net.setup.world, known.host);
    if (known?.app.kind !== 'ssh' || host === undefined) return;
    if (known.phase !== 'established' && known.phase !== 'close-wait') return;
    if (!known.app.isOver && textQueued(known) > MOST_QUEUED) return;
    if (goOn({ net, connection, host, service, app: known.app })) continue;
    if (known.app.isOver || known.phase === 'close-wait') say(net, connection, NOTHING, true);
    else return;
  }
}

/** Whether there was something to do. */
function goOn(session: Session): boolean {
  const { app, net } = session;
  if (app.isOver) return false;
  if (!app.hasGreeted) {
    greet(session, VERSION);
    tell(session, kexInit(net.effects.random(CHANCE, COOKIE)));
    return true;
  }
  if (app.exchange === undefined && speakInChannels(session)) return true;
  return app.guestVersion === '' ? hearsVersion(session) : hearsPacket(session);
}

/** RFC 4253, 4.2. */
function hearsVersion(session: Session): boolean {
  const { heard } = session.app;
  const end = heard.indexOf('\n');
  if (end < 0 && heard.length < MOST_LINE) return false;
  const line = heard.slice(0, Math.max(end, 0)).replace(/\r$/, '');
  if (/^SSH-(?:2\.0|1\.99)-[ -~]{1,200}$/.test(line)) hears(session, line, bytesOf(line), end + 1);
  else disconnect(session, 'PROTOCOL_ERROR', 'Invalid SSH identification string');
  return true;
}

function hears({ net: { effects }, connection }: Session, message: string, payload: Uint8Array, used: number): void {
  effects.raise({ kind: 'sim:ssh_heard', dev: effects.name, connection, message, payload, used });
}

function hearsPacket(session: Session): boolean {
  const { app } = session;
  const opened = openPacket(app.heard, app.fromGuest);
  if (opened.is === 'partial') return false;
  if (opened.is === 'bad') {
    if (opened.why === 'seal') disconnect(session, 'MAC_ERROR', 'Corrupted MAC on input');
    else disconnect(session, 'PROTOCOL_ERROR', 'Bad packet length');
    return true;
  }
  const { payload, used } = opened;
  const message = messageIn(payload);
  const isVoid = app.exchange?.skips === true;
  const complaint = isVoid ? undefined : complaintAbout(app, message);
  const mayHave = message?.is === 'open' && mayOpen(app, message);
  hears(session, messageText(payload), payload, used);
  if (complaint !== undefined) disconnect(session, 'PROTOCOL_ERROR', complaint);
  else if (!isVoid && message !== undefined) answer(session, message, payload, mayHave);
  return true;
}

function answer(session: Session, message: Message, payload: Uint8Array, mayHave: boolean): void {
  switch (message.is) {
    case 'offer':
      answerOffer(session, message);
      return;
    case 'point':
      answerPoint(session, message.point);
      return;
    case 'service':
      answerService(session, message.name);
      return;
    case 'auth':
      authenticate(session, message, payload);
      return;
    case 'global':
      if (message.wantsReply) tell(session, joined(MESSAGES.REQUEST_FAILURE));
      return;
    case 'open':
      answerOpen(session, message, mayHave);
      return;
    case 'request':
      answerRequest(session, message);
      return;
    case 'unknown':
      tell(session, joined(MESSAGES.UNIMPLEMENTED, word(numberOfLast(session))));
      return;
    case 'disconnect':
    case 'void':
    case 'newkeys':
    case 'failure':
    case 'success':
    case 'adjust':
    case 'data':
    case 'errors':
    case 'eof':
    case 'close':
      return;
    default:
      unreachable(message);
  }
}

/** Of the packet that was heard last. */
const numberOfLast = ({ app }: Session): number => (app.fromGuest.sequence - 1) >>> 0;

/** Keys are to be agreed on: at first, or again because the guest likes new ones. */
function answerOffer(session: Session, offer: Offer): void {
  const { app, net } = session;
  if (app.exchange?.ours === '') tell(session, kexInit(net.effects.random(CHANCE, COOKIE)));
  const what = disagreement(offer);
  if (what !== undefined) disconnect(session, 'KEY_EXCHANGE_FAILED', `no matching ${what} found`);
}

function answerPoint(session: Session, point: Uint8Array): void {
  const { app, connection, host, service, net } = session;
  const { effects } = net;
  const { ours, theirs } = app.exchange!;
  const secret = effects.random(CHANCE, SECRET);
  const hostKey = hostKeyOf(host, service);
  const said = { guestVersion: app.guestVersion, session: app.session, ours, theirs };
  const keys = keysOf({ ...said, point, hostKey, secret });
  if (keys === undefined) {
    disconnect(session, 'KEY_EXCHANGE_FAILED', 'a point that must not be used');
    return;
  }
  effects.raise({
    ...{ kind: 'sim:ssh_keyed', dev: effects.name, connection, session: keys.session },
    ...{ from_guest: keys.fromGuest, to_guest: keys.toGuest },
  });
  tell(session, keys.reply);
  tell(session, joined(MESSAGES.NEWKEYS));
}

const AUTHENTICATION = 'ssh-userauth';

function answerService(session: Session, name: string): void {
  if (name === AUTHENTICATION) tell(session, joined(MESSAGES.SERVICE_ACCEPT, sized(name)));
  else disconnect(session, 'SERVICE_NOT_AVAILABLE', `there is no service ${name.slice(0, 64)}`);
}
