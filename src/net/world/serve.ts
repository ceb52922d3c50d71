/** What whoever answers a connection does when it has heard something, or time has passed. */
import { sha256Text } from '../../base/sha256.ts';
import { NOTHING } from '../../packets/layout.ts';
import { MOST_PIECES } from '../tcp/buffer.ts';
import { close } from '../tcp/close.ts';
import { type Connection, isOpening } from '../tcp/connection.ts';
import { output, type Reason, reset } from '../tcp/output.ts';
import type { UserNet } from '../user/part.ts';
import { serveSocket } from '../live/streams.ts';
import { goOn } from './calls.ts';
import { type Answer, nextMove, type Request, receipt } from './http.ts';
import { bytesOf, say } from './say.ts';
import { daytime } from './time.ts';
import { serviceAt } from './services.ts';
import { serveSsh } from './ssh/serve.ts';
import type { Service } from './world.ts';

/** Let whoever answers have its say. */
export function serve(net: UserNet, id: number, reason: Reason = 'usual'): void {
  const connection = net.state.tcp.connections[id];
  if (connection === undefined || isOpening(connection)) return;
  const service = serviceAt(net, connection.host, connection.hostPort);
  if (service?.resetAfter !== undefined && connection.moved >= service.resetAfter) {
    reset(net, connection);
    close(net, id, 'reset by the host');
    return;
  }
  speak(net, id, connection, service);
  output(net, id, reason);
}

function speak(net: UserNet, id: number, { app }: Connection, service: Service | undefined): void {
  const { effects } = net;
  switch (app.kind) {
    case 'http':
      if (service !== undefined) answerRequests(net, id, service);
      return;
    case 'ssh':
      if (service !== undefined) serveSsh(net, id, service);
      return;
    case 'script':
      goOn(net, id);
      return;
    case 'live':
      serveSocket(net, id);
      return;
    case 'source':
      if (!app.hasSaid) say(net, id, bytesOf(daytime(net)), true);
      else endWithGuest(net, id);
      return;
    case 'echo':
      if (app.heard !== '') effects.raise({ kind: 'sim:tcp_echoed', dev: effects.name, connection: id });
      endWithGuest(net, id);
      return;
    default:
      endWithGuest(net, id);
  }
}

/** Once the guest says no more, whoever has nothing more to say ends too. */
function endWithGuest(net: UserNet, id: number): void {
  if (net.state.tcp.connections[id]?.phase === 'close-wait') say(net, id, NOTHING, true);
}

/** Answers whose requests came one behind the other are queued up to some; a file has two pieces. */
const hasPlace = ({ pieces }: Connection): boolean => pieces.length + 2 <= MOST_PIECES;

function answerRequests(net: UserNet, id: number, service: Service): void {
  for (;;) {
    const connection = net.state.tcp.connections[id];
    if (connection === undefined || connection.app.kind !== 'http' || !hasPlace(connection)) return;
    if (connection.phase !== 'established' && connection.phase !== 'close-wait') return;
    const { upload } = connection.app;
    if (upload?.left === 0) {
      const { method, target, length, hash, keeps } = upload;
      answer(net, id, receipt(method, target, length, sha256Text(hash), keeps));
      continue;
    }
    const move = nextMove(service, connection.app);
    if (move.does === 'takes a body') takeBody(net, id, move.request, move);
    else if (move.does === 'answers') answer(net, id, move.answer);
    else {
      endWithGuest(net, id);
      return;
    }
  }
}

function takeBody(
  { effects }: UserNet,
  connection: number,
  { method, target, fields, head }: Request,
  { length, keeps }: { readonly length: number; readonly keeps: boolean },
): void {
  const expects = fields.get('expect')?.toLowerCase() === '100-continue';
  effects.raise({
    ...{ kind: 'sim:http_upload', dev: effects.name, connection, method, target, length, keeps, expects, head },
  });
}

function answer({ effects }: UserNet, connection: number, { method, target, status, head, text, file, keeps }: Answer) {
  effects.raise({
    ...{ kind: 'sim:http_request', dev: effects.name, connection, method, target, status, head, keeps },
    ...{ answer: bytesOf(text), file: file?.name ?? '', offset: file?.offset ?? 0, bytes: file?.length ?? 0 },
  });
}
