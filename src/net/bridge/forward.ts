/** What a bridge does with a frame. Linux 6.1: br_handle_frame, br_handle_frame_finish, br_fdb_update, br_forward. */
import { octetsText } from '../../base/bytes.ts';
import type { Ns } from '../../base/units.ts';
import type { Packet } from '../../devices/device.ts';
import { ethernetText } from '../../packets/addresses.ts';
import { ETHERNET_HEADER } from '../../packets/ethernet.ts';
import { offloadOf } from '../../packets/offload.ts';
import { ifnameOf } from './evolve.ts';
import { answerTo, type Bridge } from './local.ts';
import { type BridgeSetup, MOST_ADDRESSES, ownEthernet, type PortState } from './state.ts';
import { receiveMessage } from './tree.ts';

/** The timer by which addresses are forgotten. */
export const AGEING = 'ageing';

/** What a core of the host needs for a frame at each port: some three million a second. */
const FRAME_NS = 300;
/** netdev_max_backlog: frames that wait for that core at most. */
const BACKLOG = 1000;
/** Bytes of a tag, and what says that there is one. */
const TAG = 4;
const TAGS: readonly number[] = [0x8100, 0x88a8];

const ADDRESS = 6;
/** 01:80:c2:00:00:0X: groups that a bridge is a member of itself. */
const LINK_LOCAL = [0x01, 0x80, 0xc2, 0, 0] as const;
/** The last of their bytes, and whose groups they are. */
const LAST = 5;
const STP = 0;
const PAUSE = 1;

/** A frame as the bridge looks at it. */
interface Frame extends Packet {
  readonly from: string;
  readonly source: string;
  readonly destination: string;
}

const isGroup = (bytes: Uint8Array): boolean => (bytes[0]! & 1) !== 0;

const isLinkLocal = (bytes: Uint8Array): boolean =>
  LINK_LOCAL.every((byte, at) => bytes[at] === byte) && (bytes[LAST]! & 0xf0) === 0;

/** A frame has come in at a port. */
export function receive(bridge: Bridge, packet: Packet): void {
  const why = flawOf(bridge, packet);
  if (why !== undefined) {
    bridge.effects.dropPacket(packet, why);
    return;
  }
  const { bytes, at } = packet;
  const frame: Frame = {
    ...packet,
    from: ifnameOf(at),
    source: octetsText(sourceOf(bytes)),
    destination: octetsText(bytes.subarray(0, ADDRESS)),
  };
  // Without a spanning tree of its own the bridge hands messages of others on.
  if (!isLinkLocal(bytes) || (bytes[LAST] === STP && !bridge.setup.stp)) pass(bridge, frame);
  else {
    tell(bridge, frame, learn(bridge, frame), { to: [], how: 'link-local' });
    if (bytes[LAST] === STP) receiveMessage(bridge, at, bytes);
  }
}

const stateOf = ({ state }: Bridge, ifname: string): PortState => state.ports[ifname]?.state ?? 'forwarding';

const learns = (bridge: Bridge, ifname: string): boolean =>
  ['learning', 'forwarding'].includes(stateOf(bridge, ifname));

const sourceOf = (bytes: Uint8Array): Uint8Array => bytes.subarray(ADDRESS, 2 * ADDRESS);

/** Why a frame goes nowhere; undefined: it does not. */
function flawOf({ effects, state }: Bridge, { bytes }: Packet): string | undefined {
  if (bytes.length < ETHERNET_HEADER) return 'shorter than a header';
  if (isTagged(bytes) && bytes.length < ETHERNET_HEADER + TAG + 2) return 'shorter than its tag';
  const source = sourceOf(bytes);
  if (isGroup(source) || source.every((byte) => byte === 0)) return 'the source is no station';
  if (effects.now + BACKLOG * FRAME_NS < state.busyUntil) return 'backlog full';
  return isLinkLocal(bytes) && bytes[LAST] === PAUSE ? 'a pause' : undefined;
}

/** The frame goes on its way. */
function pass(bridge: Bridge, frame: Frame): void {
  const { setup, state, effects } = bridge;
  if (!learns(bridge, frame.from)) {
    effects.dropPacket(frame, `the port is ${stateOf(bridge, frame.from)}`);
    return;
  }
  const mac = learn(bridge, frame);
  const isForAll = isGroup(frame.bytes);
  if (stateOf(bridge, frame.from) === 'learning') {
    effects.dropPacket(frame, 'the port is learning');
    return;
  }
  if (!isForAll && isOwn(setup, frame.destination)) tell(bridge, frame, mac, { to: [], how: 'local' });
  else if (isTooLong(setup, frame)) effects.dropPacket(frame, 'longer than the MTU');
  else {
    const known = isForAll ? undefined : entryOf(state.fdb, frame.destination)?.port;
    const ports = known === undefined ? setup.interfaces : [known];
    const to = ports.filter((port) => port !== frame.from && stateOf(bridge, port) === 'forwarding');
    tell(bridge, frame, mac, { to, how: howOf(isForAll, known, frame.from) });
  }
  if (!isForAll && !isOwn(setup, frame.destination)) return;
  const answer = answerTo(bridge, frame.bytes);
  if (answer !== undefined) answerBack(bridge, frame, answer);
}

function howOf(isForAll: boolean, known: string | undefined, from: string): string {
  if (known === undefined) return isForAll ? 'group' : 'flooded';
  return known === from ? 'same port' : 'known';
}

const entryOf = <T>(all: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(all, name) ? all[name] : undefined;

/** Whether an address is the bridge's, or one of its ports'. */
const isOwn = (setup: BridgeSetup, mac: string): boolean =>
  mac.startsWith('fe:fd:') &&
  [undefined, ...setup.interfaces].some((port) => ethernetText(ownEthernet(setup, port)) === mac);

const TYPE = 12;

/** Linux keeps the first tag of a frame beside it. skb_vlan_untag. */
const isTagged = (bytes: Uint8Array): boolean => TAGS.includes((bytes[TYPE]! << 8) | bytes[TYPE + 1]!);

/** What is to be cut is cut to what fits. is_skb_forwardable. */
const isTooLong = ({ mtu }: BridgeSetup, { bytes, header }: Packet): boolean =>
  bytes.length - (isTagged(bytes) ? TAG : 0) > mtu + ETHERNET_HEADER + TAG && (offloadOf(header)?.kind ?? 0) === 0;

/** The bridge knows where the source is. Returns the address, if it is kept. */
function learn(bridge: Bridge, { source: mac, from: port }: Frame): string {
  const { setup, state, effects } = bridge;
  if (setup.ageing === 0 || isOwn(setup, mac) || !learns(bridge, port)) return '';
  const told = { bridge: setup.name, mac, port, at: effects.now };
  const known = entryOf(state.fdb, mac);
  if (known === undefined) {
    if (Object.keys(state.fdb).length >= MOST_ADDRESSES) return '';
    effects.raise({ kind: 'sim:bridge_learned', ...told });
    if (effects.deadline(AGEING) === undefined) effects.arm(AGEING, effects.now + setup.ageing);
  } else if (known.port !== port) effects.raise({ kind: 'sim:bridge_moved', ...told, from: known.port });
  return mac;
}

interface Decision {
  readonly to: readonly string[];
  readonly how: string;
}

function tell({ setup, state, effects }: Bridge, frame: Frame, mac: string, { to, how }: Decision): void {
  const { now } = effects;
  const { until, due } = timesOf(state.busyUntil, now, to.length, effects.travel(frame.bytes.length));
  effects.raise({
    ...({ kind: 'sim:bridge_forwarded', bridge: setup.name, packet: frame.number, from: frame.from } as const),
    ...{ to: to.join('+'), how, mac, len: frame.bytes.length, at: now, until, due },
  });
}

/** When the bridge is done with copies of a frame, and when they are where they go: later than now, always. */
function timesOf(busyUntil: Ns, now: Ns, copies: number, travel: Ns): { readonly until: Ns; readonly due: Ns } {
  const start = Math.max(now, busyUntil);
  return { until: start + FRAME_NS * copies, due: start + Math.max(1, travel) };
}

/** The host answers whoever asked it, at the port where that is. */
function answerBack({ setup, state, effects }: Bridge, { from }: Frame, answer: Uint8Array): void {
  const { due } = timesOf(state.busyUntil, effects.now, 1, effects.travel(answer.length));
  effects.sendAt(`${setup.name}/${from}`, answer, due);
}

/** Addresses nobody has heard of for long are forgotten. br_fdb_cleanup. */
export function age({ setup, state, effects }: Bridge): void {
  const { now } = effects;
  let next: Ns | undefined;
  for (const [mac, { port, updated }] of Object.entries(state.fdb)) {
    const end = updated + (state.tree?.change === true ? state.tree.forwardDelay : setup.ageing);
    if (end <= now) effects.raise({ kind: 'sim:bridge_aged', bridge: setup.name, mac, port });
    else next = Math.min(next ?? end, end);
  }
  if (next !== undefined) effects.arm(AGEING, next);
}
