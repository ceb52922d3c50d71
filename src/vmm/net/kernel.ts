/** Packets in the modelled Linux of the host: between taps, bridges and backends that are ports of them. */
import { fromLatin1 } from '../../base/bytes.ts';
import type { Packet } from '../../devices/device.ts';
import { MAIN_LOOP, vhostSource } from '../../events/stamped.ts';
import { finishedSegments, GSO, offloadFlaw, offloadOf, withChecksum } from '../../packets/offload.ts';
import type { Machine, Part } from '../board/machine.ts';
import type { CallOf } from '../board/pins.ts';
import { type NetClientConfig, PORT } from '../config.ts';
import type { TapQueue } from '../state.ts';
import {
  clientOfPart,
  clientsOf,
  drop,
  type Handed,
  netOf,
  partOf,
  peerOf,
  queuesOfPart,
  tellSent,
} from './clients.ts';

/** A packet comes to a port of a bridge, which decides about it at once. */
export function arriveAtPort(machine: Machine, port: NetClientConfig, packet: Handed, callOf: CallOf): true {
  const part = partOf(machine, port)!;
  part.device.receivePacket!(machine.stateOf(part), packetAt(port, packet), callOf(machine, part));
  return true;
}

const packetAt = ({ name: at }: NetClientConfig, { number, bytes, header }: Handed): Packet => ({
  ...{ number, bytes, header, at },
});

/** A packet comes to a tap from the bridge its interface is a port of; who reads that is told. */
export function arriveAtTap(machine: Machine, tap: NetClientConfig, packet: Handed, callOf: CallOf): true {
  const part = partOf(machine, tap)!;
  part.device.transmit!(machine.stateOf(part), packetAt(tap, packet), callOf(machine, part));
  wakeReaders(machine, part);
  return true;
}

/** The main loop acts, or a worker of the kernel, where a tap has given it something to do. */
export function wakeReaders(machine: Machine, tap: Part): void {
  machine.board.host.wake(MAIN_LOOP, machine.origin);
  for (const { vhost } of queuesOfPart(machine, tap)) {
    if (vhost !== undefined) machine.board.host.wake(vhostSource(vhost), machine.origin);
  }
}

/** What a backend that takes no headers is handed: a packet with nothing left to be done to it, or several. */
export function* finished(machine: Machine, to: NetClientConfig, packet: Handed): Generator<Handed> {
  const offload = offloadOf(packet.header);
  if (offload === undefined) yield packet;
  else if (offloadFlaw(packet.bytes, offload) !== undefined) drop(machine, to, packet, 'bad header');
  else if (offload.kind === GSO.none) {
    yield { ...packet, bytes: withChecksum(packet.bytes, offload), header: undefined };
  } else {
    const pieces = finishedSegments(packet.bytes, offload);
    const told = { client: to.name, packet: packet.number, pieces: pieces.length };
    const since = machine.after(machine.raise({ kind: 'sim:packet_cut', ...told }));
    for (const bytes of pieces) yield tellSent(since, packet.sender, { bytes });
  }
}

/** A part of a packet is a packet of its own, and this device's. */
export function newPacket(machine: Machine, part: Part, packet: Pick<Packet, 'bytes' | 'header'>): Packet {
  const client = clientOfPart(machine, part);
  return packetAt(client, tellSent(machine, client, packet));
}

/** What QEMU wrote to a tap goes to the bridge whose port that is; else the host has no use for it. */
export function intoKernel(machine: Machine, part: Part, packet: Packet, callOf: CallOf): void {
  const tap = clientOfPart(machine, part);
  const port = clientsOf(machine).find(({ type, peer }) => type === PORT && peer === tap.name);
  if (port !== undefined) arriveAtPort(machine, port, { ...packet, sender: tap }, callOf);
}

const NO_QUEUE: TapQueue = { isPolled: false, frames: [] };

/** What waits for whoever reads a queue of a tap. */
export const queueOfTap = (machine: Machine, { name }: Pick<NetClientConfig, 'name'>): TapQueue =>
  netOf(machine).taps?.[name] ?? NO_QUEUE;

/** The first of it; undefined: there is nothing. */
export function nextFrame(machine: Machine, tap: Pick<NetClientConfig, 'name'>): Packet | undefined {
  const [first] = queueOfTap(machine, tap).frames;
  if (first === undefined) return undefined;
  const { packet: number, bytes, header } = first;
  const { name: at } = tap;
  return { number, bytes: fromLatin1(bytes), header: header === undefined ? undefined : fromLatin1(header), at };
}

/** A card tells the backend at the other end of its wire what packets may leave to it. */
export function setOffloads(
  machine: Machine,
  part: Part,
  { flags, headerBytes }: { readonly flags: number; readonly headerBytes: number },
  callOf: CallOf,
): void {
  const peer = peerOf(machine, clientOfPart(machine, part));
  const backend = peer === undefined ? undefined : partOf(machine, peer);
  if (backend === undefined) return;
  backend.device.offloadsSet?.(machine.stateOf(backend), flags, headerBytes, callOf(machine, backend));
}

/** The main loop reads a tap. Returns how many packets there were. */
export function readTap(machine: Machine, name: string, callOf: CallOf): number {
  const tap = clientsOf(machine).find((client) => client.name === name);
  const part = tap === undefined ? undefined : partOf(machine, tap);
  return part?.device.readable?.(machine.stateOf(part), callOf(machine, part), tap?.queue ?? 0) ?? 0;
}
