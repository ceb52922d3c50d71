import type { Device } from '../../devices/device.ts';
import type { Driver } from '../../devices/driver.ts';
import { ipv4Text } from '../../packets/addresses.ts';
import { type EthernetFrame, ETHERTYPES, parseEthernet } from '../../packets/ethernet.ts';
import { NOTHING } from '../../packets/layout.ts';
import { receiveLive } from '../live/index.ts';
import { expireTcp, powerOnTcp, TCP_TIMERS } from '../tcp/index.ts';
import { tcpAtReset } from '../tcp/state.ts';
import { worldAtReset } from '../world/state.ts';
import { receiveArp } from './arp.ts';
import { USER_NET_REDUCER } from './evolve.ts';
import { ADVERTISEMENT_INTERVAL, advertiseRouter, ROUTER_TIMER } from './icmpv6.ts';
import { receiveIpv4 } from './ipv4.ts';
import { receiveIpv6 } from './ipv6.ts';
import { sendResolved } from './link.ts';
import { networkOf, settled } from './network.ts';
import type { UserNet } from './part.ts';
import { USER_PROPERTIES, type UserNetSetup } from './setup.ts';
import { type UserNetState, userNetAtReset } from './state.ts';

export type { UserNetSetup } from './setup.ts';
export type { UserNetState } from './state.ts';

function receive(net: UserNet, frame: EthernetFrame): void {
  if (frame.type === ETHERTYPES.ARP) receiveArp(net, frame);
  else if (frame.type === ETHERTYPES.IPV4) receiveIpv4(net, frame.payload);
  else if (frame.type === ETHERTYPES.IPV6) receiveIpv6(net, frame);
  if (net.state.unresolved.length > 0) sendResolved(net);
}

/** `-netdev user`: QEMU's libslirp, with a gateway, a resolver, a server of files, and the hosts of a world behind. */
function userNetwork(setup: UserNetSetup): Device<UserNetState> {
  const network = networkOf(setup);
  return {
    model: 'user',
    regions: [],
    pins: [],
    timers: [ROUTER_TIMER, ...TCP_TIMERS],
    powerOn: (state, effects) => powerOnTcp({ setup, network, state, effects, packet: NOTHING }),
    read: () => 0,
    receivePacket(state, { bytes }, effects) {
      effects.commit();
      const frame = parseEthernet(bytes);
      if (frame !== undefined) receive({ setup, network, state, effects, packet: bytes }, frame);
      return true;
    },
    receive: (state, effects, input) => receiveLive({ setup, network, state, effects, packet: NOTHING }, input),
    expire(state, timer, effects, deadline) {
      const net = { setup, network, state, effects, packet: NOTHING };
      if (timer !== ROUTER_TIMER) {
        expireTcp(net, timer, deadline);
        return;
      }
      effects.arm(ROUTER_TIMER, deadline + ADVERTISEMENT_INTERVAL);
      advertiseRouter(net);
    },
    describe: ({ leases, ipId }) => ({
      net: `${ipv4Text(network.network)}`,
      leases: `${leases.filter(({ isTaken }) => isTaken).length}`,
      'next identification': `${ipId}`,
    }),
  };
}

export const driver: Driver<UserNetState, UserNetSetup> = {
  name: 'user',
  description: 'User-mode networking',
  bus: 'System',
  category: 'Network',
  properties: USER_PROPERTIES,
  settle: settled,
  create: userNetwork,
  atReset: ({ world }) => userNetAtReset(tcpAtReset(), worldAtReset(world)),
  reducer: USER_NET_REDUCER,
};
