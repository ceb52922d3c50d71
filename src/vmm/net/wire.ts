/** Packets between net clients. QEMU 7.2: net/net.c, net/queue.c, net/hub.c. */
import { fromLatin1 } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import type { NetPeer, Packet } from '../../devices/device.ts';
import { MAIN_LOOP } from '../../events/stamped.ts';
import { bindEventfds } from '../accel/eventfds.ts';
import type { Machine, Part } from '../board/machine.ts';
import type { CallOf } from '../board/pins.ts';
import { HUBPORT, isTap, type NetClientConfig, PORT } from '../config.ts';
import { isStopped } from '../drives/errors.ts';
import type { PacketAtHand, PacketWaiting } from '../state.ts';
import {
  clientAt,
  clientNamed,
  clientOfPart,
  clientsOf,
  drop,
  type Handed,
  netOf,
  NO_BYTES,
  partOf,
  peerOf,
  type Sent,
  stateOf,
  tellSent,
} from './clients.ts';
import { nextToArrive } from './due.ts';
import { VHOST_FEATURES } from '../vhost/features.ts';
import { arriveAtPort, arriveAtTap, finished, wakeReaders } from './kernel.ts';

/** Packets that wait for a client whose sender does not ask to hear of it. QEMU's nq_maxlen. */
const MOST_WAITING = 10_000;

/** And their bytes, which QEMU does not count: packets of 64 KiB would be more than a machine has room for. */
const MOST_WAITING_BYTES = 32 << 20;

/** Who a device sends to; undefined: nobody. */
export function peerOfPart(machine: Machine, part: Part): NetPeer | undefined {
  const client = clientAt(machine, part);
  const peer = client === undefined ? undefined : peerOf(machine, client);
  if (peer === undefined) return undefined;
  const { takesShort = false, takesHeaders = false } = partOf(machine, peer)?.device ?? {};
  const vhost = peer.vhost === undefined ? {} : { vhost: VHOST_FEATURES };
  const all = clientsOf(machine).filter(({ of }) => of === peer.name).length + 1;
  const queues = all === 1 ? {} : { queues: all };
  return { name: peer.name, type: peer.type, takesHeaders, takesShort, ...queues, ...vhost };
}

/** A device hands a packet to its peer: qemu_send_packet. False: it waits. */
export const sendPacket = (machine: Machine, part: Part, sent: Sent, callOf: CallOf, queue = 0): boolean =>
  sendFrom(machine, clientOfPart(machine, part, queue), sent, callOf);

/** A device that is several net clients sends at one of them. */
export const sendAt = (machine: Machine, client: string, sent: Sent, callOf: CallOf): boolean =>
  sendFrom(machine, clientNamed(machine, client), sent, callOf);

function sendFrom(machine: Machine, sender: NetClientConfig, { due = 0, ...sent }: Sent, callOf: CallOf): boolean {
  const travels = due > machine.now() && canSend(machine, sender);
  const packet = tellSent(machine, sender, { ...sent, due: travels ? due : 0 });
  return travels || hand(packet.machine, packet, callOf);
}

/** A packet that came from elsewhere goes on to a device's peer. */
export const passPacket = (machine: Machine, { number, bytes, header, at }: Packet, callOf: CallOf): boolean =>
  hand(machine, { number, bytes, header, sender: clientNamed(machine, at) }, callOf);

/** Somebody is at the other end of a client's wire, and the cable is plugged. */
const canSend = (machine: Machine, client: NetClientConfig): boolean =>
  client.peer !== undefined && !stateOf(machine, client).isLinkDown;

/** A packet goes to the other end of a wire now: qemu_net_queue_send. False: it waits there. */
function hand(machine: Machine, packet: Handed, callOf: CallOf): boolean {
  const { sender } = packet;
  const to = peerOf(machine, sender);
  if (to === undefined || !canSend(machine, sender)) {
    drop(machine, sender, packet, to === undefined ? 'no peer' : 'link down');
    return true;
  }
  if (to.type === PORT) return arriveAtPort(machine, to, packet, callOf);
  if (sender.type === PORT && isTap(to)) return arriveAtTap(machine, to, packet, callOf);
  if (sender.type === PORT && partOf(machine, to)?.device.takesHeaders !== true) {
    for (const each of finished(machine, to, packet)) handTo(machine, to, each, callOf);
    return true;
  }
  return handTo(machine, to, packet, callOf);
}

function handTo(machine: Machine, to: NetClientConfig, packet: Handed, callOf: CallOf): boolean {
  if (machine.board.delivering.has(to.name) || !takes(machine, to)) return wait(machine, to, packet, false);
  if (!deliver(machine, to, packet, callOf)) return wait(machine, to, packet, true);
  flush(machine, to, callOf);
  return true;
}

/** Whether a client takes packets now: qemu_can_send_packet to it. */
function takes(machine: Machine, client: NetClientConfig): boolean {
  if (isStopped(machine) || stateOf(machine, client).isBlocked) return false;
  if (client.type === HUBPORT) return otherPorts(machine, client).some((port) => canHandOn(machine, port));
  const part = partOf(machine, client);
  return part?.device.canReceive?.(machine.stateOf(part), client.queue ?? 0) ?? true;
}

function canHandOn(machine: Machine, port: NetClientConfig): boolean {
  const peer = peerOf(machine, port);
  return peer === undefined || takes(machine, peer);
}

/** It waits until the client takes it, unless too many do: qemu_net_queue_append. */
function wait(machine: Machine, client: NetClientConfig, packet: Handed, refused: boolean): false {
  const { number, bytes, isQuiet = false } = packet;
  const { queue } = stateOf(machine, client);
  const hears = !isQuiet && partOf(machine, packet.sender)?.device.packetSent !== undefined;
  const isFull = !hears && (queue.length >= MOST_WAITING || bytesOf(queue) + bytes.length > MOST_WAITING_BYTES);
  if (isFull) drop(machine, client, { number }, 'queue full');
  else {
    tellQueued(machine, client, packet, { bytes: unlessKnown(machine, client, packet), refused });
  }
  return false;
}

function tellQueued(
  machine: Machine,
  { name }: NetClientConfig,
  { number, sender, isQuiet = false }: Handed,
  how: { readonly bytes: Uint8Array; readonly refused: boolean },
): void {
  const told = { client: name, packet: number, sender: sender.name, quiet: isQuiet };
  machine.raise({ kind: 'sim:packet_queued', ...told, ...how });
}

/** A packet's bytes for a fact by which a client has it: none where the state has them. */
function unlessKnown(machine: Machine, { name }: NetClientConfig, { number, bytes, header }: Handed): Uint8Array {
  const { atHand, underway, clients, taps } = netOf(machine);
  const isIt = ({ packet }: PacketAtHand): boolean => packet === number;
  const onItsWay = underway.find((each) => isIt(each) && each.client === name) ?? clients[name]!.queue.find(isIt);
  const known = onItsWay ?? (atHand !== undefined && isIt(atHand) ? atHand : undefined);
  const hasHeader = header !== undefined && header.length > 0;
  // What is left to be done to a packet is done on the way through a Linux alone.
  if (known !== undefined && (taps === undefined || isSame(known, bytes, hasHeader))) return NO_BYTES;
  invariant(!hasHeader, 'the state has what is left to be done', { packet: number });
  return bytes;
}

const isSame = ({ bytes: known, header }: PacketAtHand, bytes: Uint8Array, hasHeader: boolean): boolean =>
  (header !== undefined) === hasHeader &&
  known.length === bytes.length &&
  bytes.every((byte, at) => byte === known.charCodeAt(at));

const bytesOf = (queue: readonly PacketWaiting[]): number => queue.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** Offer a packet to a client: qemu_deliver_packet. False: it cannot take it now. */
function deliver(machine: Machine, to: NetClientConfig, packet: Handed, callOf: CallOf): boolean {
  const { isLinkDown, isBlocked } = stateOf(machine, to);
  if (isBlocked && !isLinkDown) return false;
  if (isLinkDown) {
    drop(machine, to, packet, 'link down');
    return true;
  }
  const { delivering } = machine.board;
  delivering.add(to.name);
  try {
    return to.type === HUBPORT ? forward(machine, to, packet, callOf) : receive(machine, to, packet, callOf);
  } finally {
    delivering.delete(to.name);
  }
}

function receive(machine: Machine, to: NetClientConfig, packet: Handed, callOf: CallOf): boolean {
  const { number, bytes, header } = packet;
  const part = partOf(machine, to);
  const told = { client: to.name, packet: number, len: bytes.length, bytes: unlessKnown(machine, to, packet) };
  const taken = { kind: 'sim:packet_delivered', ...told } as const;
  if (part?.device.receivePacket === undefined) {
    machine.raise(taken);
    return true;
  }
  const call = callOf(machine, part, taken);
  if (!part.device.receivePacket(machine.stateOf(part), { number, bytes, header, ...placeOf(to) }, call)) return false;
  call.finish(false);
  return true;
}

const placeOf = ({ name: at, queue }: NetClientConfig): Pick<Packet, 'at' | 'queue'> => ({ at, queue });

/** A hub hands what comes in at one port out at all others, those made last first: net_hub_receive. */
function forward(machine: Machine, port: NetClientConfig, packet: Handed, callOf: CallOf): true {
  const told = { client: port.name, packet: packet.number, hub: port.hub!, len: packet.bytes.length };
  const forwarded = machine.after(machine.raise({ kind: 'sim:packet_forwarded', ...told }));
  for (const other of otherPorts(machine, port)) {
    if (canSend(forwarded, other)) hand(forwarded, { ...packet, sender: other }, callOf);
  }
  return true;
}

const otherPorts = (machine: Machine, { name, hub }: NetClientConfig): NetClientConfig[] =>
  clientsOf(machine)
    .filter((each) => each.type === HUBPORT && each.hub === hub && each.name !== name)
    .toReversed();

/** What waits for a client is offered to it, until it refuses: qemu_net_queue_flush. */
function flush(machine: Machine, client: NetClientConfig, callOf: CallOf): void {
  if (machine.board.delivering.has(client.name)) return;
  for (;;) {
    const [first] = stateOf(machine, client).queue;
    if (first === undefined) return;
    const packet = waitingIn(machine, first);
    if (!deliver(machine, client, packet, callOf)) {
      if (!stateOf(machine, client).isBlocked) tellQueued(machine, client, packet, { bytes: NO_BYTES, refused: true });
      return;
    }
    tellSender(machine, packet, callOf);
  }
}

/** What waits, or is on its way, as it is handed on. */
const waitingIn = (machine: Machine, { packet, bytes, header, sender, isQuiet }: PacketWaiting): Handed => ({
  ...{ number: packet, bytes: fromLatin1(bytes), isQuiet: isQuiet === true },
  ...{ header: header === undefined ? undefined : fromLatin1(header), sender: clientNamed(machine, sender) },
});

/** A packet does not wait any more. */
function tellSender(machine: Machine, { sender, isQuiet }: Handed, callOf: CallOf): void {
  const part = isQuiet === true ? undefined : partOf(machine, sender);
  if (part?.device.packetSent === undefined) return;
  part.device.packetSent(machine.stateOf(part), callOf(machine, part), sender.queue ?? 0);
  if (isTap(sender)) wakeReaders(machine, part);
}

/** What a device sent is offered once more, and gone if it still waits: qemu_flush_or_purge_queued_packets. */
export function settlePackets(asked: Machine, part: Part, queue: number, callOf: CallOf): void {
  const client = clientOfPart(asked, part, queue);
  const peer = peerOf(asked, client);
  if (peer === undefined) return;
  const { isBlocked } = stateOf(asked, peer);
  const machine = isBlocked ? asked.after(asked.raise({ kind: 'sim:packets_offered', client: peer.name })) : asked;
  flush(machine, peer, callOf);
  for (const waiting of stateOf(machine, peer).queue.filter(({ sender }) => sender === client.name)) {
    const packet = waitingIn(machine, waiting);
    drop(machine, peer, packet, 'its sender was reset');
    tellSender(machine, packet, callOf);
  }
}

/** What waits for a client is gone, and who sent it goes on. qemu_net_queue_purge. */
export function purge(machine: Machine, client: NetClientConfig, why: string, callOf: CallOf): void {
  for (const waiting of stateOf(machine, client).queue) {
    const packet = waitingIn(machine, waiting);
    drop(machine, client, packet, why);
    tellSender(machine, packet, callOf);
  }
}

/** A device takes packets again: qemu_flush_queued_packets. */
export function takePackets(asked: Machine, part: Part, at: number, callOf: CallOf): void {
  const client = clientOfPart(asked, part, at);
  const { isBlocked, queue } = stateOf(asked, client);
  const machine = isBlocked ? asked.after(asked.raise({ kind: 'sim:packets_offered', client: client.name })) : asked;
  const peer = peerOf(machine, client);
  if (peer?.type === HUBPORT) for (const port of otherPorts(machine, peer)) flush(machine, port, callOf);
  if (queue.length > 0) flush(machine, client, callOf);
}

/** A packet a device was offered is gone. */
export const dropPacket = (machine: Machine, packet: Packet, why: string): void =>
  drop(machine, clientNamed(machine, packet.at), packet, why);

/** What is due arrives. False: nothing was. */
export function arriveDue(machine: Machine, callOf: CallOf): boolean {
  for (let hasArrived = false; ; hasArrived = true) {
    const next = nextToArrive(machine.state.net);
    if (next === undefined || next.due > machine.now() || isStopped(machine)) return hasArrived;
    hand(machine.from(machine.origin.by(MAIN_LOOP).after(next.sent)), waitingIn(machine, next), callOf);
  }
}

/** A cable is plugged or pulled, as the state says already: qmp_set_link. */
export function linkSet(machine: Machine, name: string, up: boolean, callOf: CallOf): void {
  const client = clientNamed(machine, name);
  for (const each of [client, peerOf(machine, client)]) {
    const part = each === undefined ? undefined : partOf(machine, each);
    if (part === undefined) continue;
    part.device.linkSet?.(machine.stateOf(part), up, callOf(machine, part));
    bindEventfds(machine, part);
  }
}

/** Bytes of a file a device was made with; beyond its end, and where nobody knows the file, zeroes. */
export function fileBytes(
  { options }: Machine,
  { name }: Part,
  { file, offset, length }: { readonly file: string; readonly offset: number; readonly length: number },
): Uint8Array {
  const bytes = new Uint8Array(length);
  const known = options.deviceFiles?.get(name)?.get(file);
  if (known !== undefined) bytes.set(known.subarray(offset, offset + length));
  return bytes;
}
