/** What facts do to the TCP of a user network. */
import type { Draft } from '../../base/draft.ts';
import type { FactReducers } from '../../devices/device.ts';
import type { EventKind, EventOf } from '../../events/vocabulary.ts';
import { ipv4Of, ipv6Of } from '../../packets/addresses.ts';
import type { AppState } from '../world/app-state.ts';
import { echoed, said, wentOn } from '../world/apps-evolve.ts';
import { answered, uploadBegan } from '../world/http-evolve.ts';
import { newApp } from '../world/new-app.ts';
import { sshHeard, sshKeyed, sshRan, sshSaid } from '../world/ssh/evolve.ts';
import { FIRST_TIMEOUT } from './congestion.ts';
import { type Address, type Connection, MOST_CONNECTIONS, MOST_WINDOW } from './connection.ts';
import { received } from './receive.ts';
import { probed, sent, stalled, timeIsUp } from './send.ts';
import { plus } from './sequence.ts';
import type { TcpState } from './state.ts';

/** Whose state has TCP in it. */
export interface WithTcp {
  readonly tcp: TcpState;
  /** What came last, a byte a character. */
  readonly packet: string;
}

type State = Draft<WithTcp>;

/** slirp's TCPTV_KEEP_INIT, in nanoseconds. */
const OPENING = 75_000_000_000;
const VARIATION = 3_000_000_000;

/** The address a fact names, for a trace may say anything; undefined: it is none. */
const addressOf = (text: string): Address | undefined => ipv4Of(text) ?? ipv6Of(text);

function opened(state: State, e: EventOf<'sim:tcp_opened'>): void {
  const { tcp } = state;
  const [guest, host] = [addressOf(e.guest), addressOf(e.host)];
  tcp.opened += 1;
  tcp.lastFirst = e.first;
  tcp.lastAt = e.at;
  const app = newApp(e.service);
  if (guest === undefined || host === undefined || app === undefined) return;
  if (Object.keys(tcp.connections).length >= MOST_CONNECTIONS || !(e.mss > 0)) return;
  tcp.connections[e.connection] = newConnection(e, { guest, host, app });
}

/** More than anybody takes. */
const MOST_CHARACTERS = 2 ** 40;
const ENDLESS = (): Draft<Pick<Connection, 'pieces' | 'queued'>> => ({
  pieces: [{ of: 'characters', offset: 0, length: MOST_CHARACTERS }],
  queued: MOST_CHARACTERS,
});

const newConnection = (
  e: EventOf<'sim:tcp_opened'>,
  ends: { readonly guest: Address; readonly host: Address; readonly app: Draft<AppState> },
): Draft<Connection> => ({
  ...ends,
  ...{ guestPort: e.guest_port, hostPort: e.host_port, phase: e.active ? 'syn-sent' : 'syn-received', mss: e.mss },
  ...{ tos: e.tos, moved: 0, stallAfter: e.stall === 0 ? undefined : e.stall, arrivesAt: e.at },
  ...{ first: e.first, unacknowledged: e.first, next: e.first, sentTo: e.first },
  ...(e.service === 'chargen' ? ENDLESS() : { pieces: [], queued: 0 }),
  ...{ window: 0, largestWindow: 0, windowSequence: e.guest_first, windowAcknowledgment: e.first },
  ...{ congestionWindow: e.offers, threshold: MOST_WINDOW << 14, duplicates: 0 },
  ...{ recovering: false, recoverTo: e.first, resend: false },
  ...{ awaited: plus(e.guest_first, 1), offeredTo: plus(e.guest_first, 1), early: [], mustAcknowledge: !e.active },
  ...{ roundTrip: undefined, variation: VARIATION, timeout: FIRST_TIMEOUT, timed: undefined, tries: 0, heardAt: e.at },
  ...{ resendAt: undefined, probeAt: undefined, acknowledgeAt: undefined, endAt: e.at + OPENING },
});

/** What a fact does to the connection it names, if that is there. */
const ofConnection =
  <K extends EventKind>(change: (connection: Draft<Connection>, event: EventOf<K>) => void) =>
  (state: State, event: EventOf<K>): void => {
    const connection = state.tcp.connections[(event as unknown as { readonly connection: number }).connection];
    if (connection !== undefined) change(connection, event);
  };

export const TCP_FACTS: FactReducers<WithTcp> = {
  'sim:tcp_opened': opened,
  'sim:tcp_received'({ tcp, packet }, event) {
    const connection = tcp.connections[event.connection];
    if (connection !== undefined) received(connection, event, packet);
  },
  'sim:tcp_sent': ofConnection<'sim:tcp_sent'>(sent),
  'sim:tcp_retransmitted': ofConnection<'sim:tcp_retransmitted'>(sent),
  'sim:tcp_probed': ofConnection<'sim:tcp_probed'>(probed),
  'sim:tcp_stalled': ofConnection<'sim:tcp_stalled'>((connection, { at }) => stalled(connection, at)),
  'sim:tcp_timeout': ofConnection<'sim:tcp_timeout'>(timeIsUp),
  'sim:tcp_closed'(state, { connection }) {
    delete state.tcp.connections[connection];
  },
  'sim:tcp_said': ofConnection<'sim:tcp_said'>(said),
  'sim:tcp_echoed': ofConnection<'sim:tcp_echoed'>(echoed),
  'sim:call_went_on': ofConnection<'sim:call_went_on'>(wentOn),
  'sim:http_upload': ofConnection<'sim:http_upload'>(uploadBegan),
  'sim:http_request': ofConnection<'sim:http_request'>(answered),
  'sim:ssh_heard': ofConnection<'sim:ssh_heard'>(sshHeard),
  'sim:ssh_keyed': ofConnection<'sim:ssh_keyed'>(sshKeyed),
  'sim:ssh_said': ofConnection<'sim:ssh_said'>(sshSaid),
  'sim:ssh_ran': ofConnection<'sim:ssh_ran'>(sshRan),
};
