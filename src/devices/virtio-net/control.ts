/** Commands of a driver. QEMU 7.2: virtio_net_handle_ctrl_iov and its neighbours. */
import { latin1 } from '../../base/bytes.ts';
import {
  breakDevice,
  detachElement,
  type Element,
  type GoodChain,
  hasFeature,
  isAtWork,
  lengthOf,
  notifyDriver,
  part,
  pushElement,
  type Reader,
  readMemory,
  scatterTold,
  type Segment,
  takeNext,
} from '../virtio/index.ts';
import { writtenMac } from './mac.ts';
import {
  ACK,
  ANNOUNCE_ACK,
  CONTROL,
  FEATURE,
  MAC_BYTES,
  MAC_COMMAND,
  MOST,
  MQ_COMMAND,
  OFFLOADS_SET,
  VLAN_COMMAND,
} from './registers.ts';
import { offloadsTaken } from './offloads.ts';
import { RSS_BYTES, rssIn } from './rss-command.ts';
import { isMultiQueue, RX_MODES } from './state.ts';
import { type Net, workGoesOn } from './transmit.ts';

/** Class and command. */
const COMMAND_BYTES = 2;

/** A command as it lies in memory. */
interface Command {
  readonly cls: number;
  readonly command: number;
  /** Bytes behind class and command. */
  readonly length: number;
  /** Those of them that decide, as far as there are any. */
  readonly data: Uint8Array;
  readonly table: MacTable | undefined;
}

/** What a driver lists. Undefined: more than a table holds. */
interface MacTable {
  readonly unicast: Uint8Array | undefined;
  readonly multicast: Uint8Array | undefined;
}

/** Do all commands there are, but once round the ring at most. Returns how many there were. */
export function serveCommands(net: Net, queue: number): number {
  let served = 0;
  for (let most = net.state.queues[queue]!.size; served < most; served++) {
    const taken = takeNext(net, queue, { look: (chain) => commandIn(chain, net.effects) });
    if (taken === undefined || !serveCommand(net, queue, taken.element, taken.look)) break;
  }
  return served;
}

/** False: the device is broken. */
function serveCommand(net: Net, queue: number, element: Element, asked: Command | undefined): boolean {
  if (asked === undefined) {
    breakDevice(net, queue, 'virtio-net ctrl missing headers');
    detachElement(net, queue, element);
    return false;
  }
  const { cls, command } = asked;
  const ack = execute(net, asked) ? ACK.ok : ACK.error;
  const { effects } = net;
  effects.raise({ kind: 'sim:virtio_net_control', dev: effects.name, cls, command, ack });
  scatterTold(effects, element.in, Uint8Array.of(ack));
  pushElement(net, queue, element, 1);
  notifyDriver(net, queue);
  return true;
}

/** Most bytes that decide, but for tables: of a set of offloads. */
const MOST_DATA = 8;

/** Undefined: there is not as much as a command has, or no place for an answer. */
function commandIn({ out, in: into }: GoodChain, reader: Reader): Command | undefined {
  if (into.length === 0 || lengthOf(out) < COMMAND_BYTES) return undefined;
  const [cls, command] = gathered(reader, out, 0, COMMAND_BYTES) as unknown as [number, number];
  const rest = part(out, COMMAND_BYTES, Number.MAX_SAFE_INTEGER);
  const length = lengthOf(rest);
  const isTable = cls === CONTROL.mac && command === MAC_COMMAND.tableSet;
  const isSpread = cls === CONTROL.multiQueue && command !== MQ_COMMAND.pairsSet;
  const data = gathered(reader, rest, 0, isSpread ? RSS_BYTES : MOST_DATA);
  return { cls, command, length, data, table: isTable ? tableIn(rest, length, reader) : undefined };
}

/** As many bytes as there are. */
function gathered(reader: Reader, segments: readonly Segment[], from: number, length: number): Uint8Array {
  const parts = part(segments, from, length);
  const bytes = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const each of parts) {
    bytes.set(readMemory(reader, each), at);
    at += each.length;
  }
  return bytes;
}

const COUNT_BYTES = 4;

/** Two lists, each a count and its addresses. Undefined: they are not as long as they say. */
function tableIn(rest: readonly Segment[], length: number, reader: Reader): MacTable | undefined {
  const unicast = listIn(rest, 0, length, reader);
  if (unicast === undefined) return undefined;
  const multicast = listIn(rest, unicast.end, length, reader, unicast.macs?.length);
  if (multicast === undefined || multicast.end !== length) return undefined;
  return { unicast: unicast.macs, multicast: multicast.macs };
}

/** One of them, in a table that has so many bytes of others already. Its bytes are counted in 32 bits, as in QEMU. */
function listIn(rest: readonly Segment[], from: number, length: number, reader: Reader, before = 0) {
  const count = gathered(reader, rest, from, COUNT_BYTES);
  if (count.length < COUNT_BYTES) return undefined;
  const entries = new DataView(count.buffer).getUint32(0, true);
  const bytes = Math.imul(entries, MAC_BYTES) >>> 0;
  const end = from + COUNT_BYTES + bytes;
  if (end > length) return undefined;
  const fits = entries <= MOST.macs - before / MAC_BYTES;
  return { end, macs: fits ? gathered(reader, rest, from + COUNT_BYTES, bytes) : undefined };
}

type Execute = (net: Net, asked: Command) => boolean;

const EXECUTE: Readonly<Record<number, Execute>> = {
  [CONTROL.rx]: setMode,
  [CONTROL.mac]: setMacs,
  [CONTROL.vlan]: setVlan,
  [CONTROL.announce]: acknowledgeAnnouncement,
  [CONTROL.multiQueue]: setPairs,
  [CONTROL.guestOffloads]: setOffloads,
};

/** False: it is refused. */
const execute: Execute = (net, asked) => EXECUTE[asked.cls]?.(net, asked) ?? false;

function setMode({ effects }: Net, { command, data: [on] }: Command): boolean {
  const mode = RX_MODES[command];
  if (on === undefined || mode === undefined) return false;
  effects.raise({ kind: 'sim:virtio_net_rx_mode', dev: effects.name, mode, on: on !== 0 });
  return true;
}

function setMacs(net: Net, asked: Command): boolean {
  if (asked.command === MAC_COMMAND.addressSet) return setMac(net, asked);
  const { effects } = net;
  const { table } = asked;
  if (table === undefined) return false;
  const { unicast, multicast } = table;
  effects.raise({
    ...({ kind: 'sim:virtio_net_mac_table', dev: effects.name } as const),
    ...{ unicast: unicast ?? new Uint8Array(0), multicast: multicast ?? new Uint8Array(0) },
    ...{ unicastAll: unicast === undefined, multicastAll: multicast === undefined },
  });
  return true;
}

function setMac({ effects }: Net, { length, data }: Command): boolean {
  if (length !== MAC_BYTES) return false;
  effects.raise({ kind: 'sim:virtio_net_mac', dev: effects.name, mac: writtenMac(latin1(data)) });
  return true;
}

/** The first two bytes. Undefined: there are not so many. */
const word = ([low, high]: Uint8Array): number | undefined =>
  low === undefined || high === undefined ? undefined : low | (high << 8);

function setVlan({ effects }: Net, { command, data }: Command): boolean {
  const vid = word(data);
  if (vid === undefined || vid >= MOST.vlans) return false;
  if (command !== VLAN_COMMAND.add && command !== VLAN_COMMAND.remove) return false;
  effects.raise({ kind: 'sim:virtio_net_vlan', dev: effects.name, vid, on: command === VLAN_COMMAND.add });
  return true;
}

/** round: of announcements behind a migration, of which there are none. */
function acknowledgeAnnouncement({ state, effects }: Net, { command }: Command): boolean {
  effects.raise({ kind: 'virtio_net_handle_announce', dev: effects.name, round: 0 });
  if (command !== ANNOUNCE_ACK || !state.isAnnouncing) return false;
  effects.raise({ kind: 'sim:virtio_net_announced', dev: effects.name });
  return true;
}

function setPairs(net: Net, asked: Command): boolean {
  const { state, effects } = net;
  const disable = (): void => {
    if (state.rss !== undefined) effects.raise({ kind: 'virtio_net_rss_disable', dev: effects.name });
  };
  disable();
  const pairs = asked.command === MQ_COMMAND.pairsSet ? pairsIn(net, asked) : spread(net, asked);
  if (pairs === undefined) {
    disable();
    return false;
  }
  if (asked.command === MQ_COMMAND.hashConfig) return true;
  if (pairs === 0 || pairs > MOST.pairs || pairs > net.setup['x-queue-pairs'] || !isMultiQueue(state.features)) {
    return false;
  }
  effects.raise({ kind: 'sim:virtio_net_queue_pairs', dev: effects.name, pairs });
  workGoesOn(net, isAtWork(state));
  effects.attachQueues(pairs);
  return true;
}

const pairsIn = ({ state }: Net, { data }: Command): number | undefined =>
  hasFeature(state, FEATURE.multiQueue) ? word(data) : undefined;

/** How a driver wants frames to be spread. Returns how many pairs there are for it; undefined: it is refused. */
function spread({ state, effects, setup }: Net, { command, data }: Command): number | undefined {
  const most = setup['x-queue-pairs'];
  const wish = rssIn(data, { command, state, most });
  if ('msg' in wish) {
    effects.raise({ kind: 'virtio_net_rss_error', dev: effects.name, ...wish });
    return undefined;
  }
  const { types, table, key, otherwise, pairs } = wish;
  if (key.length > 0) {
    const sizes = { p1: types, p2: table.length / 2, p3: key.length };
    const told = { dev: effects.name, ...sizes, otherwise, table, key };
    effects.raise({ kind: 'virtio_net_rss_enable', ...told });
  }
  return pairs;
}

const OFFLOADS =
  2 ** FEATURE.guestChecksum +
  2 ** FEATURE.guestTso4 +
  2 ** FEATURE.guestTso6 +
  2 ** FEATURE.guestEcn +
  2 ** FEATURE.guestUfo;

/** What a peer leaves to the driver. Of a peer without headers there is nothing to be left. */
function setOffloads(net: Net, { command, data }: Command): boolean {
  const { state, effects } = net;
  if (!hasFeature(state, FEATURE.controlGuestOffloads) || data.length < MOST_DATA) return false;
  if (command !== OFFLOADS_SET || effects.peer?.takesHeaders !== true) return false;
  const words = new DataView(data.buffer);
  const [low, high] = [words.getUint32(0, true), words.getUint32(4, true)];
  const isKnown = (high & ~(2 ** (FEATURE.rscExtended - 32))) === 0;
  if (!isKnown || (low & ~(state.features[0] & OFFLOADS)) !== 0) return false;
  offloadsTaken(net, [low, high]);
  return true;
}
