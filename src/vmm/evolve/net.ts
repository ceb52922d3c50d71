/** What facts do to the ends of wires, and to what is between them. */
import { latin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { isTap, type MachineConfig, type NetClientConfig, PORT } from '../config.ts';
import type { NetClientState, NetState, PacketAtHand, PacketUnderway, TapQueue, VmmState } from '../state.ts';
import { IFF } from '../../net/tap/state.ts';
import { newVhost } from '../vhost/state.ts';
import { packetTaken } from './devices.ts';

type Vmm = Draft<VmmState>;
type Net = Draft<NetState>;

/** Wires of a machine nobody has switched on; none, if nobody is on any. */
export function netAtPowerOn(clients: readonly NetClientConfig[] | undefined): Pick<VmmState, 'net'> {
  if (clients === undefined) return {};
  const taps = clients.filter(isTap);
  const served = taps.filter(({ vhost }) => vhost !== undefined);
  const hasLinux = taps.length > 0 || clients.some(({ type }) => type === PORT);
  return {
    net: {
      packets: 0,
      atHand: undefined,
      underway: [],
      clients: Object.fromEntries(clients.map(({ name }) => [name, newClient()])),
      ...(hasLinux ? { taps: Object.fromEntries(taps.map(({ name }) => [name, { isPolled: true, frames: [] }])) } : {}),
      ...(served.length > 0 ? { vhosts: Object.fromEntries(served.map(({ name }) => [name, newVhost()])) } : {}),
    },
  };
}

const newClient = (): NetClientState => ({
  isLinkDown: false,
  isBlocked: false,
  queue: [],
  sent: { packets: 0, bytes: 0 },
  received: { packets: 0, bytes: 0 },
  dropped: 0,
});

function netOf({ net }: Vmm): Net {
  invariant(net !== undefined, 'a machine with packets has net clients', {});
  return net;
}

function clientOf(net: Net, name: string): Draft<NetClientState> {
  const client = Object.hasOwn(net.clients, name) ? net.clients[name] : undefined;
  invariant(client !== undefined, 'the machine has this net client', { name });
  return client;
}

/** sim:packet_sent. */
export function sent(vmm: Vmm, event: EventOf<'sim:packet_sent'>, config: MachineConfig, { seq }: Stamped): void {
  const net = netOf(vmm);
  const { client: sender, packet, due } = event;
  const own = config.net?.find(({ name }) => name === sender);
  const client = own?.peer;
  // What is cut has been counted whole at a port, and is counted at a tap when that is read.
  const isPiece = due === 0 && own !== undefined && (own.type === PORT || isTap(own));
  if (!isPiece) count(clientOf(net, sender).sent, event.bytes.length);
  net.packets = packet + 1;
  if (due === 0) net.atHand = saidBy(event);
  else if (client !== undefined) goOnItsWay(net, { ...saidBy(event), sender, client, due, sent: seq });
}

const headerOf = ({ header }: { readonly header: Uint8Array }): Pick<PacketAtHand, 'header'> =>
  header.length === 0 ? {} : { header: latin1(header) };

const saidBy = (event: EventOf<'sim:packet_sent'>): PacketAtHand => ({
  packet: event.packet,
  bytes: latin1(event.bytes),
  ...headerOf(event),
});

/** Behind all that arrive before it, or when it does. */
function goOnItsWay(net: Net, packet: PacketUnderway): void {
  const before = net.underway.findLastIndex(({ due }) => due <= packet.due);
  net.underway.splice(before + 1, 0, packet);
}

function count(total: Draft<NetClientState['sent']>, bytes: number): void {
  total.packets += 1;
  total.bytes += bytes;
}

/** A packet is where it was going: it is not on its way, nor waits for a client. undefined: the state has it not. */
function takeOut(net: Net, name: string, packet: number): PacketAtHand | undefined {
  const arrived = takeArrived(net, name, packet);
  if (arrived !== undefined) return arrived;
  const { queue } = clientOf(net, name);
  const place = queue.findIndex((other) => other.packet === packet);
  return place < 0 ? atHand(net, packet) : queue.splice(place, 1)[0];
}

function takeArrived({ underway }: Net, name: string, packet: number): PacketAtHand | undefined {
  const at = underway.findIndex((other) => other.packet === packet && other.client === name);
  return at < 0 ? undefined : underway.splice(at, 1)[0];
}

const atHand = (net: Net, packet: number): PacketAtHand | undefined =>
  net.atHand?.packet === packet ? net.atHand : undefined;

/** What of a packet goes with it, wherever it goes. */
const alone = ({ packet, bytes, header }: PacketAtHand): PacketAtHand => ({
  ...{ packet, bytes },
  ...(header === undefined ? {} : { header }),
});

/** A packet as a fact has it: what says its bytes anew has nothing left to be done. */
const packetOf = (
  { packet, bytes }: { readonly packet: number; readonly bytes: Uint8Array },
  known: PacketAtHand | undefined,
): PacketAtHand => (known === undefined || bytes.length > 0 ? { packet, bytes: latin1(bytes) } : alone(known));

/** sim:packet_delivered. */
export function delivered(vmm: Vmm, event: EventOf<'sim:packet_delivered'>, config: MachineConfig): void {
  const net = netOf(vmm);
  const taken = packetOf(event, takeOut(net, event.client, event.packet));
  net.atHand = taken;
  count(clientOf(net, event.client).received, event.len);
  packetTaken(vmm, partAt(config, event), taken.bytes, config);
}

/** sim:packet_forwarded. All other ports are about to have it. */
export function forwarded(vmm: Vmm, { client, packet, len }: EventOf<'sim:packet_forwarded'>): void {
  const net = netOf(vmm);
  const known = takeOut(net, client, packet);
  if (known !== undefined) net.atHand = alone(known);
  count(clientOf(net, client).received, len);
}

/** sim:packet_queued. */
export function queued(vmm: Vmm, event: EventOf<'sim:packet_queued'>): void {
  const net = netOf(vmm);
  const { client: name, packet, sender, refused } = event;
  const client = clientOf(net, name);
  if (refused) client.isBlocked = true;
  // Of what goes round between bridges a copy may wait already when another arrives.
  const arrived = takeArrived(net, name, packet);
  if (arrived === undefined && client.queue.some((other) => other.packet === packet)) return;
  const waiting = packetOf(event, arrived ?? atHand(net, packet));
  client.queue.push({ ...waiting, sender, ...(event.quiet ? { isQuiet: true as const } : {}) });
}

/** sim:packets_offered. */
export function offered(vmm: Vmm, { client }: EventOf<'sim:packets_offered'>): void {
  clientOf(netOf(vmm), client).isBlocked = false;
}

/** sim:packet_dropped. */
export function dropped(
  vmm: Vmm,
  { client: name, packet }: EventOf<'sim:packet_dropped'>,
  config: MachineConfig,
): void {
  const net = netOf(vmm);
  const lost = takeOut(net, name, packet);
  const client = clientOf(net, name);
  client.dropped += 1;
  // An interface has received what its bridge does not hand on.
  const isPort = config.net?.some((each) => each.name === name && each.type === PORT) === true;
  if (isPort && lost !== undefined) count(client.received, lost.bytes.length);
}

/** sim:packet_cut. */
export function cut(vmm: Vmm, { client, packet }: EventOf<'sim:packet_cut'>): void {
  takeOut(netOf(vmm), client, packet);
}

/** sim:bridge_forwarded: copies are on their way to the other ends of these ports. */
export function bridged(
  vmm: Vmm,
  { bridge, packet, from, to, due, len }: EventOf<'sim:bridge_forwarded'>,
  config: MachineConfig,
  { seq }: Stamped,
): void {
  const net = netOf(vmm);
  const at = `${bridge}/${from}`;
  const known = takeOut(net, at, packet);
  invariant(known !== undefined, 'a bridge forwards a packet that is there', { packet });
  count(clientOf(net, at).received, len);
  for (const port of to === '' ? [] : to.split('+')) {
    const sender = `${bridge}/${port}`;
    const client = config.net?.find(({ name }) => name === sender)?.peer;
    count(clientOf(net, sender).sent, len);
    if (client !== undefined) goOnItsWay(net, { ...alone(known), sender, client, due, sent: seq });
  }
}

const tapOf = (net: Net, client: string): Draft<TapQueue> => {
  const tap = net.taps?.[client];
  invariant(tap !== undefined, 'the machine has this tap', { client });
  return tap;
};

/** sim:tap_ioctl: what waits in a queue that is detached is gone. */
export function tapAsked(vmm: Vmm, { client, cmd, arg }: EventOf<'sim:tap_ioctl'>): void {
  if (cmd === 'TUNSETQUEUE' && arg === IFF.detach) tapOf(netOf(vmm), client).frames = [];
}

/** sim:tap_queued. It was on its way to the interface, whichever queue that has chosen. */
export function tapQueued(vmm: Vmm, event: EventOf<'sim:tap_queued'>, config: MachineConfig): void {
  const net = netOf(vmm);
  const { client, packet } = event;
  const { bytes } = packetOf(event, takeOut(net, firstOf(config, client), packet));
  tapOf(net, client).frames.push({ packet, bytes, ...headerOf(event) });
}

/** sim:tap_read. */
export function tapRead(vmm: Vmm, { client, len }: EventOf<'sim:tap_read'>): void {
  const net = netOf(vmm);
  const first = tapOf(net, client).frames.shift();
  if (first !== undefined) net.atHand = alone(first);
  count(clientOf(net, client).sent, len);
}

/** sim:tap_poll. */
export function tapPolled(vmm: Vmm, { client, on }: EventOf<'sim:tap_poll'>): void {
  tapOf(netOf(vmm), client).isPolled = on;
}

/** sim:link_set, of all queues. A NIC at the other end of the wire sees it too. */
export function linkSet(vmm: Vmm, { client, up }: EventOf<'sim:link_set'>, config: MachineConfig): void {
  const { net = [] } = config;
  const own = net.filter(({ name }) => firstOf(config, name) === firstOf(config, client));
  const nics = net.filter(({ name, type }) => type === 'nic' && own.some(({ peer }) => peer === name));
  for (const { name } of [...own, ...nics]) clientOf(netOf(vmm), name).isLinkDown = !up;
}

/** The client of the first queue. */
const firstOf = ({ net }: MachineConfig, name: string): string => net?.find((each) => each.name === name)?.of ?? name;

/** sim:announce_asked. */
export function announceAsked(
  vmm: Vmm,
  event: EventOf<'sim:announce_asked'>,
  _config: MachineConfig,
  at: Stamped,
): void {
  const { kind: _, ...asked } = event;
  const net = netOf(vmm);
  const others = (net.announcing ?? []).filter(({ id }) => id !== asked.id);
  net.announcing = [...others, { ...asked, round: asked.rounds, due: Number.POSITIVE_INFINITY, waits: at.seq }];
}

/** sim:announce_waits. */
export function announceWaits(
  vmm: Vmm,
  { id: name, round, due }: EventOf<'sim:announce_waits'>,
  _config: MachineConfig,
  { seq: waits }: Stamped,
): void {
  const announcement = netOf(vmm).announcing?.find(({ id }) => id === name);
  if (announcement !== undefined) Object.assign(announcement, { round, due, waits });
}

/** qemu_announce_timer_del. */
export function announceOver(vmm: Vmm, { id: name }: EventOf<'qemu_announce_timer_del'>): void {
  const net = netOf(vmm);
  const others = (net.announcing ?? []).filter(({ id }) => id !== name);
  if (others.length === 0) delete net.announcing;
  else net.announcing = others;
}

/** The part that is a bridge. */
export const partOfBridge = ({ net }: MachineConfig, { bridge }: { readonly bridge: string }): string | undefined =>
  net?.find((client) => client.bridge === bridge)?.part;

/** The part that answers at a client. */
export const partAt = ({ net }: MachineConfig, { client }: { readonly client: string }): string | undefined =>
  net?.find(({ name }) => name === client)?.part;
