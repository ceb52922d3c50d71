import type { Draft } from '../../base/draft.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { DeviceReducer } from '../../devices/device.ts';
import { latin1 } from '../../base/bytes.ts';
import { IFF, type InterfaceCount, MOST_FLOWS, SECOND, type TapState } from './state.ts';

function count(way: Draft<InterfaceCount>, bytes: number): void {
  way.packets += 1;
  way.bytes += bytes;
}

/** Why a packet is lost on which way of an interface, and as what that counts. */
export const LOSS = {
  full: 'queue full',
  short: 'shorter than a header',
  header: 'bad header',
  uncut: 'cannot be cut',
} as const;

/** tun_attach. */
function attach({ attached }: Draft<TapState>, client: string): void {
  if (!attached.includes(client)) attached.push(client);
}

/** The last takes its place; conversations of the queue behind the last are forgotten. __tun_detach. */
function detach(state: Draft<TapState>, client: string): void {
  const { attached } = state;
  const at = attached.indexOf(client);
  if (at < 0) return;
  const last = attached.pop()!;
  if (last !== client) attached[at] = last;
  for (const [hash, { queue }] of Object.entries(state.flows)) {
    if (queue === attached.length + 1) delete state.flows[Number(hash)];
  }
}

/** sim:tap_flow. Those that are over make room. */
function flowed(state: Draft<TapState>, { client, hash, until }: EventOf<'sim:tap_flow'>): void {
  const { flows, attached } = state;
  if (!Object.hasOwn(flows, hash)) {
    for (const [other, flow] of Object.entries(flows)) if (flow.until <= until - LONGEST) delete flows[Number(other)];
    if (Object.keys(flows).length >= MOST_FLOWS) return;
  }
  flows[hash] = { queue: attached.indexOf(client), until };
}

/** What ends so long before a conversation that begins is over, whatever of a second has passed. */
const LONGEST = 4 * SECOND;

/** What the ioctls that change something change. */
const IOCTLS: Readonly<Record<string, 'headerBytes' | 'offloads' | 'sndbuf'>> = {
  TUNSETVNETHDRSZ: 'headerBytes',
  TUNSETOFFLOAD: 'offloads',
  TUNSETSNDBUF: 'sndbuf',
};

/** What facts do to a tap. A reset of the machine is nothing to the host. */
export const TAP_REDUCER: DeviceReducer<TapState> = {
  facts: {
    'sim:tap_ioctl'(state, { client, cmd, arg }) {
      const what = IOCTLS[cmd];
      if (what !== undefined) state[what] = arg;
      if (cmd === 'TUNSETIFF' || (cmd === 'TUNSETQUEUE' && arg === IFF.attach)) attach(state, client);
      else if (cmd === 'TUNSETQUEUE' && arg === IFF.detach) detach(state, client);
    },
    'sim:device_data'(state, { bytes }) {
      state.key = latin1(bytes);
    },
    'sim:tap_flow': flowed,
    'sim:packet_delivered': (state, { len }) => count(state.rx, len),
    'sim:tap_read': (state, { len }) => count(state.tx, len),
    'sim:packet_dropped'(state, { why }) {
      if (why === LOSS.full || why === LOSS.uncut) state.tx.dropped += 1;
      else if (why === LOSS.short || why === LOSS.header) state.rx.errors += 1;
    },
  },
};
