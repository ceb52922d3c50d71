/** What facts do to the ends of wires, and to what is between them. */
import { latin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { MachineConfig, NetClientConfig } from '../config.ts';
import { packetTaken } from './devices.ts';
import type { NetClientState, NetState, PacketUnderway, PacketWaiting, VmmState } from '../state.ts';

type Vmm = Draft<VmmState>;
type Net = Draft<NetState>;

/** Wires of a machine nobody has switched on; none, if nobody is on any. */
export function netAtPowerOn(clients: readonly NetClientConfig[] | undefined): Pick<VmmState, 'net'> {
  if (clients === undefined) return {};
  return {
    net: {
      packets: 0,
      atHand: undefined,
      underway: [],
      clients: Object.fromEntries(clients.map(({ name }) => [name, newClient()])),
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
  const { client: sender, packet, bytes, due } = event;
  count(clientOf(net, sender).sent, bytes.length);
  net.packets = packet + 1;
  const client = config.net?.find(({ name }) => name === sender)?.peer;
  if (client === undefined) return;
  if (due === 0) {
    net.atHand = { packet, bytes: latin1(bytes) };
    return;
  }
  const later = net.underway.findIndex((other) => other.due > due);
  const underway: PacketUnderway = { packet, sender, client, due, sent: seq, bytes: latin1(bytes) };
  net.underway.splice(later < 0 ? net.underway.length : later, 0, underway);
}

function count(total: Draft<NetClientState['sent']>, bytes: number): void {
  total.packets += 1;
  total.bytes += bytes;
}

/** A packet is where it was going: it is not on its way, nor waits for a client. Its bytes, if the state has them. */
function takeOut(net: Net, name: string, packet: number): string | undefined {
  return takeWaiting(net, name, packet)?.bytes ?? (net.atHand?.packet === packet ? net.atHand.bytes : undefined);
}

function takeWaiting(net: Net, name: string, packet: number): PacketWaiting | undefined {
  const at = net.underway.findIndex((other) => other.packet === packet && other.client === name);
  if (at >= 0) return net.underway.splice(at, 1)[0];
  const { queue } = clientOf(net, name);
  const place = queue.findIndex((other) => other.packet === packet);
  return place < 0 ? undefined : queue.splice(place, 1)[0];
}

/** sim:packet_delivered. */
export function delivered(vmm: Vmm, event: EventOf<'sim:packet_delivered'>, config: MachineConfig): void {
  const net = netOf(vmm);
  const { client, packet, len } = event;
  const bytes = takeOut(net, client, packet) ?? latin1(event.bytes);
  count(clientOf(net, client).received, len);
  packetTaken(vmm, partAt(config, event), bytes, config);
}

/** sim:packet_forwarded. All other ports are about to have it. */
export function forwarded(vmm: Vmm, { client, packet, len }: EventOf<'sim:packet_forwarded'>): void {
  const net = netOf(vmm);
  const bytes = takeOut(net, client, packet);
  if (bytes !== undefined) net.atHand = { packet, bytes };
  count(clientOf(net, client).received, len);
}

/** sim:packet_queued. */
export function queued(vmm: Vmm, event: EventOf<'sim:packet_queued'>): void {
  const net = netOf(vmm);
  const { client: name, packet, sender, refused } = event;
  const client = clientOf(net, name);
  if (refused) client.isBlocked = true;
  if (client.queue.some((other) => other.packet === packet)) return;
  const bytes = takeOut(net, name, packet) ?? latin1(event.bytes);
  client.queue.push({ packet, sender, bytes, ...(event.quiet ? { isQuiet: true as const } : {}) });
}

/** sim:packets_offered. */
export function offered(vmm: Vmm, { client }: EventOf<'sim:packets_offered'>): void {
  clientOf(netOf(vmm), client).isBlocked = false;
}

/** sim:packet_dropped. */
export function dropped(vmm: Vmm, { client, packet }: EventOf<'sim:packet_dropped'>): void {
  const net = netOf(vmm);
  takeOut(net, client, packet);
  clientOf(net, client).dropped += 1;
}

/** sim:link_set. A NIC at the other end of the wire sees it too. */
export function linkSet(vmm: Vmm, { client: name, up }: EventOf<'sim:link_set'>, { net = [] }: MachineConfig): void {
  const client = net.find((each) => each.name === name);
  const peer = net.find((each) => each.name === client?.peer);
  for (const each of [client, peer?.type === 'nic' ? peer : undefined]) {
    if (each !== undefined) clientOf(netOf(vmm), each.name).isLinkDown = !up;
  }
}

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

/** The part that answers at a client. */
export const partAt = ({ net }: MachineConfig, { client }: { readonly client: string }): string | undefined =>
  net?.find(({ name }) => name === client)?.part;
