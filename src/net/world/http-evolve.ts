/** What requests do to a connection to an HTTP server. */
import { latin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import { SHA256_START, sha256Add } from '../../base/sha256.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { enqueue } from '../tcp/buffer.ts';
import type { Connection } from '../tcp/connection.ts';
import { hostEnds } from '../tcp/receive.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** A body begins; what was heard of it already is of it. */
export function uploadBegan(connection: Draft<Connection>, e: EventOf<'sim:http_upload'>): void {
  const { app } = connection;
  if (app.kind !== 'http') return;
  const body = app.heard.slice(e.head, e.head + e.length);
  const hash = { ...SHA256_START, words: [...SHA256_START.words] };
  sha256Add(
    hash,
    Uint8Array.from(body, (byte) => byte.charCodeAt(0)),
  );
  const { method, target, keeps, length } = e;
  app.upload = { method, target, keeps, length, left: length - body.length, hash };
  app.heard = app.heard.slice(e.head + body.length);
  if (e.expects && app.upload.left > 0) enqueue(connection, { of: 'text', text: CONTINUE });
}

/** A request is answered. */
export function answered(connection: Draft<Connection>, e: EventOf<'sim:http_request'>): void {
  const { app } = connection;
  if (app.kind !== 'http') return;
  app.heard = app.heard.slice(e.head);
  app.upload = undefined;
  enqueue(connection, { of: 'text', text: latin1(e.answer) });
  if (e.file !== '') enqueue(connection, { of: 'file', file: e.file, offset: e.offset, length: e.bytes });
  if (!e.keeps) hostEnds(connection);
}
