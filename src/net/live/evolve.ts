/** What facts and inputs do to what user networking has of the host's network. */
import { latin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import type { FactReducers } from '../../devices/device.ts';
import { ipv4Of, ipv6Of } from '../../packets/addresses.ts';
import { enqueue } from '../tcp/buffer.ts';
import type { Address, Connection } from '../tcp/connection.ts';
import type { WithTcp } from '../tcp/evolve.ts';
import { hostEnds } from '../tcp/receive.ts';
import type { LiveState as Socket } from '../world/app-state.ts';
import { type LiveState, MOST_NAMES, MOST_QUERIES, MOST_WAYS } from './state.ts';

interface WithLive extends WithTcp {
  readonly live: LiveState;
}

type State = Draft<WithLive>;
type Live = Draft<Connection> & { app: Draft<Socket> };

/** A connection with a socket of the host's; undefined: it is gone, or a trace says what it likes. */
function socketAt({ tcp }: State, id: number): Live | undefined {
  const connection = tcp.connections[id];
  return connection?.app.kind === 'live' ? (connection as Live) : undefined;
}

/** A socket is read so far ahead of the guest. */
export const MOST_SAID = 128 * 1024;

const addressOf = (text: string): Address | undefined => ipv4Of(text) ?? ipv6Of(text);

const MOST_QUERY = 512;

export const LIVE_FACTS: FactReducers<WithLive> = {
  'sim:socket_asked'(state, { connection, what, length }) {
    const app = socketAt(state, connection)?.app;
    if (app === undefined) return;
    if (what === 'more') app.credit = Math.min(app.credit + length, MOST_SAID);
    if (what === 'shut') app.isShut = true;
    if (what === 'close') app.socket = 'gone';
  },
  'sim:socket_sent'(state, { connection, length }) {
    const app = socketAt(state, connection)?.app;
    if (app === undefined) return;
    app.sent = app.heard.slice(0, length);
    app.heard = app.heard.slice(length);
    app.untaken += app.sent.length;
  },
  'sim:socket_opened'(state, { connection, errno }) {
    const app = socketAt(state, connection)?.app;
    if (app?.socket === 'asked') app.socket = errno === 0 ? 'open' : 'gone';
  },
  'sim:socket_data'(state, { connection: id, bytes }) {
    const connection = socketAt(state, id);
    if (connection?.app.socket !== 'open') return;
    const taken = bytes.subarray(0, connection.app.credit);
    connection.app.credit -= taken.length;
    enqueue(connection, { of: 'text', text: latin1(taken) });
  },
  'sim:socket_taken'(state, { connection, length }) {
    const app = socketAt(state, connection)?.app;
    if (app !== undefined) app.untaken = Math.max(app.untaken - length, 0);
  },
  'sim:socket_ended'(state, { connection: id }) {
    const connection = socketAt(state, id);
    if (connection?.app.socket === 'open') hostEnds(connection);
  },
  'sim:socket_reset'(state, { connection }) {
    const app = socketAt(state, connection)?.app;
    if (app !== undefined) app.socket = 'gone';
  },
  'sim:way_opened'({ live }, e) {
    const [guest, host] = [addressOf(e.guest), addressOf(e.host)];
    live.numbered = e.way;
    if (guest === undefined || host === undefined) return;
    live.ways.push({ way: e.way, guest, guestPort: e.guest_port, host, hostPort: e.host_port, at: e.at });
    if (live.ways.length > MOST_WAYS) live.ways.shift();
  },
  'sim:datagram_sent'({ live }, { way, at }) {
    const used = live.ways.find((each) => each.way === way);
    if (used !== undefined) used.at = at;
  },
  'sim:way_closed'({ live }, { way }) {
    live.ways = live.ways.filter((each) => each.way !== way);
  },
  'sim:name_asked'({ live, packet }, { query, name, client, port, resolver, offset, length }) {
    const [asks, asked] = [addressOf(client), addressOf(resolver)];
    live.numbered = query;
    if (asks === undefined || asked === undefined) return;
    live.queries.push({
      query,
      name,
      client: asks,
      port,
      resolver: asked,
      bytes: packet.slice(offset, offset + Math.min(length, MOST_QUERY)),
    });
    if (live.queries.length > MOST_QUERIES) live.queries.shift();
  },
  'sim:name_found'({ live }, { query, addresses }) {
    const asked = live.queries.find((each) => each.query === query);
    if (asked === undefined) return;
    for (const text of addresses.split(' ', MOST_NAMES)) learned(live, asked.name, addressOf(text));
  },
};

function learned(live: Draft<LiveState>, name: string, address: Address | undefined): void {
  if (address === undefined) return;
  live.names = live.names.filter((known) => known.name !== name || known.address !== address);
  live.names.push({ name, address });
  if (live.names.length > MOST_NAMES) live.names.shift();
}
