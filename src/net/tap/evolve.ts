import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../../devices/device.ts';
import type { InterfaceCount, TapState } from './state.ts';

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

/** What the ioctls that change something change. */
const IOCTLS: Readonly<Record<string, 'headerBytes' | 'offloads' | 'sndbuf'>> = {
  TUNSETVNETHDRSZ: 'headerBytes',
  TUNSETOFFLOAD: 'offloads',
  TUNSETSNDBUF: 'sndbuf',
};

/** What facts do to a tap. A reset of the machine is nothing to the host. */
export const TAP_REDUCER: DeviceReducer<TapState> = {
  facts: {
    'sim:tap_ioctl'(state, { cmd, arg }) {
      const what = IOCTLS[cmd];
      if (what !== undefined) state[what] = arg;
    },
    'sim:packet_delivered': (state, { len }) => count(state.rx, len),
    'sim:tap_read': (state, { len }) => count(state.tx, len),
    'sim:packet_dropped'(state, { why }) {
      if (why === LOSS.full || why === LOSS.uncut) state.tx.dropped += 1;
      else if (why === LOSS.short || why === LOSS.header) state.rx.errors += 1;
    },
  },
};
