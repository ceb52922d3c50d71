/** What hosts do to their connections of their own accord. */
import { latin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { enqueue } from '../tcp/buffer.ts';
import type { Connection } from '../tcp/connection.ts';
import { hostEnds } from '../tcp/receive.ts';

/** A host says something. */
export function said(connection: Draft<Connection>, { bytes, ends }: EventOf<'sim:tcp_said'>): void {
  if (connection.app.kind === 'source') connection.app.hasSaid = true;
  enqueue(connection, { of: 'text', text: latin1(bytes) });
  if (ends) hostEnds(connection);
}

/** Who says back what it hears does so. */
export function echoed(connection: Draft<Connection>): void {
  const { app } = connection;
  if (app.kind !== 'echo') return;
  enqueue(connection, { of: 'text', text: app.heard });
  app.heard = '';
}

/** A call has come to another step. */
export function wentOn(connection: Draft<Connection>, { step, used, until }: EventOf<'sim:call_went_on'>): void {
  const { app } = connection;
  if (app.kind !== 'script') return;
  app.step = step;
  app.heard = app.heard.slice(used);
  app.waitsUntil = until === 0 ? undefined : until;
}
