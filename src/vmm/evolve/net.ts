/** What facts do to the ends of wires, and to what is between them. */
import { latin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { isTap, type MachineConfig, type NetClientConfig, PORT } from '../config.ts';
import type { NetClientState, NetState, PacketUnderway, PacketWaiting, TapQueue, VmmState } from '../state.ts';

type Vmm = Draft<VmmState>;
type Net = Draft<NetState>;

/** Wires of a machine nobody has switched on; none, if nobody is on any. */
export function netAtPowerOn(clients: readonly NetClientConfig[] | undefined): Pick<VmmState, 'net'> {
  if (clients === undefined) return {};
  const taps = clients.filter(isTap);
  const hasLinux = taps.length > 0 || clients.some(({ type }) => type === PORT);
  return {
    net: {
      ...{ packets: 0, underway: [], clients: Object.fromEntries(clients.map(({ name }) => [name, newClient()])) },
      ...(hasLinux ? { taps: Object.fromEntries(taps.map(({ name }) => [name, { isPolled: true, frames: [] }])) } : {}),
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
  const { peer: client, type } = config.net?.find(({ name }) => name === sender) ?? {};
  // What a port cuts for who is behind it has been counted whole.
  if (type !== PORT || due > 0) count(clientOf(net, sender).sent, event.bytes.length);
  net.packets = packet + 1;
  const waiting = (): PacketWaiting => ({ packet, sender, bytes: latin1(event.bytes), ...headerOf(event) });
  if (due === 0) handOver(net, waiting);
  else if (client !== undefined) goOnItsWay(net, { ...waiting(), client, due, sent: seq });
}

const headerOf = ({ header }: { readonly header: Uint8Array }): Pick<PacketWaiting, 'header'> =>
  header.length === 0 ? {} : { header: latin1(header) };

/** What follows may speak of it by its number. */
function handOver(net: Net, packet: () => PacketWaiting): void {
  if (net.taps !== undefined) net.handed = packet();
}

/** Behind all that arrive before it, or when it does. */
function goOnItsWay(net: Net, packet: PacketUnderway): void {
  const before = net.underway.findLastIndex(({ due }) => due <= packet.due);
  net.underway.splice(before + 1, 0, packet);
}

function count(total: Draft<NetClientState['sent']>, bytes: number): void {
  total.packets += 1;
  total.bytes += bytes;
}

/** A packet is where it was going: it is on its way no more, nor waits for a client. */
function takeOut(net: Net, name: string, packet: number): PacketWaiting | undefined {
  const at = net.underway.findIndex((other) => other.packet === packet && other.client === name);
  if (at >= 0) return net.underway.splice(at, 1)[0];
  const { queue } = clientOf(net, name);
  const place = queue.findIndex((other) => other.packet === packet);
  return place < 0 ? undefined : queue.splice(place, 1)[0];
}

/** sim:packet_delivered, sim:packet_forwarded. */
export function delivered(
  vmm: Vmm,
  { client, packet, len }: Pick<EventOf<'sim:packet_delivered'>, 'client' | 'packet' | 'len'>,
): void {
  const net = netOf(vmm);
  const taken = takeOut(net, client, packet);
  if (taken !== undefined) handOver(net, () => waitingAs(taken));
  count(clientOf(net, client).received, len);
}

const waitingAs = ({ packet, sender, bytes, header }: PacketWaiting, other?: string): PacketWaiting => ({
  ...{ packet, sender: other ?? sender, bytes },
  ...(header === undefined ? {} : { header }),
});

/** A packet that is at a client, or was handed over last. */
function found(net: Net, client: string, packet: number): PacketWaiting | undefined {
  return takeOut(net, client, packet) ?? (net.handed?.packet === packet ? net.handed : undefined);
}

/** sim:packet_queued. */
export function queued(vmm: Vmm, event: EventOf<'sim:packet_queued'>): void {
  const net = netOf(vmm);
  const { client: name, packet, sender, refused } = event;
  const client = clientOf(net, name);
  if (refused) client.isBlocked = true;
  if (client.queue.some((other) => other.packet === packet)) return;
  const known = event.bytes.length > 0 ? takeOut(net, name, packet) : found(net, name, packet);
  client.queue.push(waitingAs({ packet, bytes: latin1(event.bytes), ...known, sender }));
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
  const lost = found(net, name, packet);
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
  const known = found(net, at, packet);
  invariant(known !== undefined, 'a bridge forwards a packet that is there', { packet });
  count(clientOf(net, at).received, len);
  for (const port of to === '' ? [] : to.split('+')) {
    const sender = `${bridge}/${port}`;
    const client = config.net?.find(({ name }) => name === sender)?.peer;
    count(clientOf(net, sender).sent, len);
    if (client !== undefined) goOnItsWay(net, { ...waitingAs(known, sender), client, due, sent: seq });
  }
}

const tapOf = (net: Net, client: string): Draft<TapQueue> => {
  const tap = net.taps?.[client];
  invariant(tap !== undefined, 'the machine has this tap', { client });
  return tap;
};

/** sim:tap_queued. */
export function tapQueued(vmm: Vmm, event: EventOf<'sim:tap_queued'>): void {
  const net = netOf(vmm);
  const { client, packet } = event;
  const known = found(net, client, packet);
  const { sender = client, bytes = '' } = known ?? {};
  const said = event.bytes.length > 0 ? latin1(event.bytes) : bytes;
  tapOf(net, client).frames.push({ packet, sender, bytes: said, ...headerOf(event) });
}

/** sim:tap_read. */
export function tapRead(vmm: Vmm, { client, len }: EventOf<'sim:tap_read'>): void {
  const net = netOf(vmm);
  const first = tapOf(net, client).frames.shift();
  if (first !== undefined) handOver(net, () => first);
  count(clientOf(net, client).sent, len);
}

/** sim:tap_poll. */
export function tapPolled(vmm: Vmm, { client, on }: EventOf<'sim:tap_poll'>): void {
  tapOf(netOf(vmm), client).isPolled = on;
}

/** sim:link_set. A NIC at the other end of the wire sees it too. */
export function linkSet(vmm: Vmm, { client: name, up }: EventOf<'sim:link_set'>, { net = [] }: MachineConfig): void {
  const client = net.find((each) => each.name === name);
  const peer = net.find((each) => each.name === client?.peer);
  for (const each of [client, peer?.type === 'nic' ? peer : undefined]) {
    if (each !== undefined) clientOf(netOf(vmm), each.name).isLinkDown = !up;
  }
}

/** The part that is a bridge. */
export const partOfBridge = ({ net }: MachineConfig, { bridge }: { readonly bridge: string }): string | undefined =>
  net?.find((client) => client.bridge === bridge)?.part;

/** The part that answers at a client. */
export const partAt = ({ net }: MachineConfig, { client }: { readonly client: string }): string | undefined =>
  net?.find(({ name }) => name === client)?.part;
