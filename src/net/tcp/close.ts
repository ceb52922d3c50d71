import type { UserNet } from '../user/part.ts';
import { askSocket } from '../live/ask.ts';
import { callFailed } from '../world/calls.ts';
import { isOpening } from './connection.ts';

/** A connection is no more. */
export function close(net: UserNet, id: number, why: string): void {
  const { effects } = net;
  const before = net.state.tcp.connections[id];
  const call = before?.app.kind === 'script' && isOpening(before) ? before.app.call : undefined;
  if (before?.app.kind === 'live' && before.app.socket !== 'gone') askSocket(net, id, 'close');
  effects.raise({ kind: 'sim:tcp_closed', dev: effects.name, connection: id, why });
  if (call !== undefined) callFailed(net, call);
}
