/** What the bytes of a guest do to who answers them: to its state, and to what it has to say. */
import { fromLatin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import { sha256Add } from '../../base/sha256.ts';
import { textQueued } from '../tcp/buffer.ts';
import { type Connection, isStalled, MOST_WINDOW } from '../tcp/connection.ts';
import type { AppState } from './app-state.ts';

/** Most that a host keeps of what it has heard and not used, and of what it says back: slirp's TCP_RCVSPACE. */
const MOST_HEARD = 128 * 1024;

/** Whether somebody looks at the bytes a guest sends there. */
export const looksAtBytes = (app: AppState): boolean => app.kind !== 'sink' && app.kind !== 'source';

/** How many more bytes a host has room for. */
export function roomFor(connection: Connection): number {
  const { app } = connection;
  if (isStalled(connection)) return 0;
  switch (app.kind) {
    case 'echo':
      return MOST_HEARD - textQueued(connection) - app.heard.length;
    case 'http':
    case 'ssh':
    case 'script':
      return MOST_HEARD - app.heard.length;
    case 'live':
      return MOST_HEARD - app.heard.length - app.untaken;
    default:
      return MOST_WINDOW;
  }
}

/** So many bytes of the guest have come, in order: `text`, a byte a character, where somebody looks at them. */
export function heard(connection: Draft<Connection>, length: number, text: string): void {
  const { app } = connection;
  connection.moved += length;
  switch (app.kind) {
    case 'echo':
    case 'script':
    case 'live':
      keep(app, text);
      return;
    case 'ssh':
      // What comes after the end is of nobody.
      if (!app.isOver) keep(app, text);
      return;
    case 'http':
      uploaded(app, text);
      return;
    default:
  }
}

/** A guest sends no more than there was room for; a trace says what it likes. */
function keep(app: { heard: string }, text: string): void {
  app.heard = (app.heard + text).slice(0, MOST_HEARD + MOST_WINDOW);
}

/** What belongs to a body is hashed, the rest is of the next request. */
function uploaded(app: Draft<Extract<AppState, { kind: 'http' }>>, text: string): void {
  const body = Math.min(app.upload?.left ?? 0, text.length);
  if (app.upload !== undefined && body > 0) {
    sha256Add(app.upload.hash, fromLatin1(text.slice(0, body)));
    app.upload.left -= body;
  }
  if (body < text.length) keep(app, text.slice(body));
}
