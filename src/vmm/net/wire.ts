/** Packets between net clients. QEMU 7.2: net/net.c, net/queue.c, net/hub.c. */
import { fromLatin1 } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import type { Ns } from '../../base/units.ts';
import type { NetPeer, Packet } from '../../devices/device.ts';
import { MAIN_LOOP } from '../../events/stamped.ts';
import type { Machine, Part } from '../board/machine.ts';
import type { CallOf } from '../board/pins.ts';
import { HUBPORT, type NetClientConfig } from '../config.ts';
import { isStopped } from '../drives/errors.ts';
import type { NetClientState, NetState, PacketAtHand, PacketWaiting } from '../state.ts';
import { nextToArrive } from './due.ts';

/** Packets that wait for a client whose sender does not ask to hear of it. QEMU's nq_maxlen. */
const MOST_WAITING = 10_000;

/** And their bytes, which QEMU does not count: packets of 64 KiB would be more than a machine has room for. */
const MOST_WAITING_BYTES = 32 << 20;

/** A packet at the sender's end of a wire. */
interface Handed extends Packet {
  readonly sender: NetClientConfig;
  /** The sender does not want to hear when it is taken. */
  readonly isQuiet?: boolean;
}

const NOBODY: readonly NetClientConfig[] = [];

const clientsOf = ({ config }: Machine): readonly NetClientConfig[] => config.net ?? NOBODY;

/** The client at which a device answers; undefined: it is none. */
const clientAt = (machine: Machine, { name }: Part): NetClientConfig | undefined =>
  clientsOf(machine).find(({ part }) => part === name);

function clientOfPart(machine: Machine, part: Part): NetClientConfig {
  const client = clientAt(machine, part);
  invariant(client !== undefined, 'a device with packets is a net client', { name: part.name });
  return client;
}

function clientNamed(machine: Machine, name: string): NetClientConfig {
  const client = clientsOf(machine).find((each) => each.name === name);
  invariant(client !== undefined, 'the machine has this net client', { name });
  return client;
}

const peerOf = (machine: Machine, { peer }: NetClientConfig): NetClientConfig | undefined =>
  peer === undefined ? undefined : clientNamed(machine, peer);

const partOf = ({ parts }: Machine, { part }: NetClientConfig): Part | undefined =>
  part === undefined ? undefined : parts.find(({ name }) => name === part);

function netOf({ state: { net } }: Machine): NetState {
  invariant(net !== undefined, 'a machine with packets has net clients', {});
  return net;
}

const stateOf = (machine: Machine, { name }: NetClientConfig): NetClientState => netOf(machine).clients[name]!;

/** Who a device sends to; undefined: nobody. */
export function peerOfPart(machine: Machine, part: Part): NetPeer | undefined {
  const client = clientAt(machine, part);
  const peer = client === undefined ? undefined : peerOf(machine, client);
  if (peer === undefined) return undefined;
  const takesShort = partOf(machine, peer)?.device.takesShort === true;
  return { name: peer.name, type: peer.type, takesHeaders: false, takesShort };
}

/** What is sent, and when it arrives. */
interface Sent extends Pick<Handed, 'isQuiet'> {
  readonly bytes: Uint8Array;
  readonly due?: Ns | undefined;
}

/** A device hands a packet to its peer: qemu_send_packet. False: it waits. */
export function sendPacket(
  machine: Machine,
  part: Part,
  { bytes: read, due = 0, isQuiet = false }: Sent,
  callOf: CallOf,
): boolean {
  const sender = clientOfPart(machine, part);
  const bytes = machine.hostMemory.packet(read);
  const number = netOf(machine).packets;
  const travels = due > machine.now() && canSend(machine, sender);
  const told = { client: sender.name, packet: number, bytes, due: travels ? due : 0 };
  const sent = machine.after(machine.raise({ kind: 'sim:packet_sent', ...told }));
  return travels || hand(sent, { number, bytes, sender, isQuiet }, callOf);
}

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
  return part?.device.canReceive?.(machine.stateOf(part)) ?? true;
}

function canHandOn(machine: Machine, port: NetClientConfig): boolean {
  const peer = peerOf(machine, port);
  return peer === undefined || takes(machine, peer);
}

/** It waits until the client takes it, unless too many do: qemu_net_queue_append. */
function wait(machine: Machine, client: NetClientConfig, packet: Handed, refused: boolean): false {
  const { number, bytes, isQuiet = false } = packet;
  const { queue } = stateOf(machine, client);
  const hears = !isQuiet && senderOf(machine, packet)?.device.packetSent !== undefined;
  const isFull = !hears && (queue.length >= MOST_WAITING || bytesOf(queue) + bytes.length > MOST_WAITING_BYTES);
  if (isFull) drop(machine, client, { number }, 'queue full');
  else {
    tellQueued(machine, client, packet, { bytes: unlessKnown(machine, client, { number, bytes }), refused });
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
function unlessKnown(machine: Machine, { name }: NetClientConfig, { number, bytes }: Packet): Uint8Array {
  const { atHand, underway, clients } = netOf(machine);
  const isIt = ({ packet }: PacketAtHand): boolean => packet === number;
  const isAtHand = atHand !== undefined && isIt(atHand);
  return isAtHand || underway.some(isIt) || clients[name]!.queue.some(isIt) ? NO_BYTES : bytes;
}

const senderOf = (machine: Machine, { sender }: Pick<Handed, 'sender'>): Part | undefined => partOf(machine, sender);

const bytesOf = (queue: readonly PacketWaiting[]): number => queue.reduce((sum, { bytes }) => sum + bytes.length, 0);

const NO_BYTES = new Uint8Array(0);

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

function receive(machine: Machine, to: NetClientConfig, { number, bytes }: Handed, callOf: CallOf): boolean {
  const part = partOf(machine, to);
  const told = {
    client: to.name,
    packet: number,
    len: bytes.length,
    bytes: unlessKnown(machine, to, { number, bytes }),
  };
  const taken = { kind: 'sim:packet_delivered', ...told } as const;
  if (part?.device.receivePacket === undefined) {
    machine.raise(taken);
    return true;
  }
  const call = callOf(machine, part, taken);
  if (!part.device.receivePacket(machine.stateOf(part), { number, bytes }, call)) return false;
  call.finish(false);
  return true;
}

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

const waitingIn = (machine: Machine, { packet, bytes, sender, isQuiet }: PacketWaiting): Handed => ({
  ...{ number: packet, bytes: fromLatin1(bytes), isQuiet: isQuiet === true },
  sender: clientNamed(machine, sender),
});

/** A packet does not wait any more. */
function tellSender(machine: Machine, packet: Handed, callOf: CallOf): void {
  const part = packet.isQuiet === true ? undefined : senderOf(machine, packet);
  if (part !== undefined) part.device.packetSent?.(machine.stateOf(part), callOf(machine, part));
}

/** What a device sent is offered once more, and gone if it still waits: qemu_flush_or_purge_queued_packets. */
export function settlePackets(asked: Machine, part: Part, callOf: CallOf): void {
  const client = clientOfPart(asked, part);
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

/** A device takes packets again: qemu_flush_queued_packets. */
export function takePackets(asked: Machine, part: Part, callOf: CallOf): void {
  const client = clientOfPart(asked, part);
  const { isBlocked, queue } = stateOf(asked, client);
  const machine = isBlocked ? asked.after(asked.raise({ kind: 'sim:packets_offered', client: client.name })) : asked;
  const peer = peerOf(machine, client);
  if (peer?.type === HUBPORT) for (const port of otherPorts(machine, peer)) flush(machine, port, callOf);
  if (queue.length > 0) flush(machine, client, callOf);
}

/** A packet a device was offered is gone. */
export const dropPacket = (machine: Machine, part: Part, packet: Packet, why: string): void =>
  drop(machine, clientOfPart(machine, part), packet, why);

function drop(machine: Machine, { name }: NetClientConfig, { number }: Pick<Packet, 'number'>, why: string): void {
  machine.raise({ kind: 'sim:packet_dropped', client: name, packet: number, why });
}

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
    if (part !== undefined) part.device.linkSet?.(machine.stateOf(part), up, callOf(machine, part));
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
