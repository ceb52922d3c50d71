/** What facts do to user networking. A reset of the machine is nothing to it, as in QEMU. */
import { latin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../../devices/device.ts';
import { ethernetOf, ipv4Of, ipv6Of } from '../../packets/addresses.ts';
import { ETHERTYPES, parseEthernet } from '../../packets/ethernet.ts';
import { parseIpv4 } from '../../packets/ipv4.ts';
import { TCP_FACTS } from '../tcp/index.ts';
import { LIVE_FACTS } from '../live/evolve.ts';
import { WORLD_FACTS } from '../world/evolve.ts';
import { fragmentAt, isSame, joinedFragments, withFragment } from './reassembly.ts';
import {
  FRAGMENT_LIFE,
  MOST_NEIGHBORS,
  MOST_PARTIAL,
  MOST_UNRESOLVED,
  type Neighbors,
  type UserNetState,
} from './state.ts';

type State = Draft<UserNetState>;

/** An address as text has it. */
const addressOf = (text: string): number | bigint => ipv4Of(text) ?? ipv6Of(text) ?? 0;

function learned<A extends number | bigint>(neighbors: Draft<Neighbors<A>>, address: Draft<A>, ethernet: number): void {
  const known = neighbors.known.find((neighbor) => neighbor.address === address);
  if (known !== undefined) {
    known.ethernet = ethernet;
    return;
  }
  neighbors.known[neighbors.next] = { address, ethernet };
  neighbors.next = (neighbors.next + 1) % MOST_NEIGHBORS;
}

/** The counter goes beyond the identification a packet has, unless that was sent late. */
function counted(state: State, packet: Uint8Array): void {
  if (parseIpv4(packet)?.id === state.ipId) state.ipId = (state.ipId + 1) & 0xffff;
}

/** The session of a client, if it has one. */
const sessionOf = (state: State, client: string, port: number): Draft<UserNetState['tftp'][number]> | undefined =>
  state.tftp.find((session) => session.client === addressOf(client) && session.port === port);

export const USER_NET_REDUCER: DeviceReducer<UserNetState> = {
  packetTaken(state, bytes) {
    state.packet = bytes;
  },
  facts: {
    ...TCP_FACTS,
    ...WORLD_FACTS,
    ...LIVE_FACTS,
    'sim:packet_sent'(state, { bytes }) {
      const frame = parseEthernet(bytes);
      if (frame?.type === ETHERTYPES.IPV4) counted(state, frame.payload);
    },
    'sim:neighbor_learned'(state, { address, ethernet }) {
      const ip = addressOf(address);
      const at = ethernetOf(ethernet) ?? 0;
      if (typeof ip === 'number') learned(state.arp, ip, at);
      else learned(state.ndp, ip, at);
    },
    'sim:dhcp_leased'(state, { place, ethernet }) {
      state.leases[place] = { isTaken: true, ethernet: ethernetOf(ethernet) ?? 0 };
    },
    'sim:fragment_kept'(state, e) {
      const { protocol, id, at } = e;
      const name = { source: ipv4Of(e.source) ?? 0, destination: ipv4Of(e.destination) ?? 0, protocol, id };
      const fragment = fragmentAt(state.packet, e);
      state.partial = state.partial.filter(({ since }) => at - since < FRAGMENT_LIFE);
      const partial = state.partial.find((datagram) => isSame(datagram, name));
      if (partial !== undefined) partial.fragments = [...withFragment(partial.fragments, fragment)];
      else state.partial.push({ ...name, since: at, fragments: [fragment] });
      if (state.partial.length > MOST_PARTIAL) state.partial.shift();
    },
    'sim:fragments_over'(state, { source, destination, protocol, id }) {
      const name = { source: ipv4Of(source) ?? 0, destination: ipv4Of(destination) ?? 0, protocol, id };
      const partial = state.partial.find((datagram) => isSame(datagram, name));
      if (partial !== undefined) state.packet = joinedFragments(partial.fragments);
      state.partial = state.partial.filter((datagram) => datagram !== partial);
    },
    'sim:tftp_opened'(state, { place, client, port, file, block_size: blockSize, at }) {
      const session = { place, client: addressOf(client), port, file, blockSize, block: 0, at };
      state.tftp = [...state.tftp.filter((other) => other.place !== place), session];
    },
    'sim:tftp_sent'(state, { client, port, at }) {
      const session = sessionOf(state, client, port);
      if (session === undefined) return;
      session.block += 1;
      session.at = at;
    },
    'sim:tftp_closed'(state, { client, port }) {
      const session = sessionOf(state, client, port);
      state.tftp = state.tftp.filter((other) => other !== session);
    },
    'sim:packet_unresolved'(state, { address, bytes, until }) {
      counted(state, bytes);
      if (state.unresolved.length >= MOST_UNRESOLVED) state.unresolved.shift();
      state.unresolved.push({ address: addressOf(address), bytes: latin1(bytes), until });
    },
    'sim:packets_resolved'(state, { address }) {
      const ip = addressOf(address);
      state.unresolved = state.unresolved.filter((packet) => packet.address !== ip);
    },
  },
};
