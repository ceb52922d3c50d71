/** The ends of wires: who is there, and what is told of packets at them. */
import { invariant } from '../../base/invariant.ts';
import type { Ns } from '../../base/units.ts';
import type { Packet } from '../../devices/device.ts';
import type { Machine, Part } from '../board/machine.ts';
import type { NetClientConfig } from '../config.ts';
import type { NetClientState, NetState } from '../state.ts';

/** A packet at the sender's end of a wire. */
export interface Handed extends Omit<Packet, 'at'> {
  readonly sender: NetClientConfig;
  /** The sender does not want to hear when it is taken. */
  readonly isQuiet?: boolean;
}

const NOBODY: readonly NetClientConfig[] = [];

export const clientsOf = ({ config }: Machine): readonly NetClientConfig[] => config.net ?? NOBODY;

/** The client at which a device answers, of several queues one; undefined: it is none. */
export const clientAt = (machine: Machine, { name }: Pick<Part, 'name'>, at = 0): NetClientConfig | undefined =>
  clientsOf(machine).find(({ part, queue = 0 }) => part === name && queue === at);

/** All clients of a device, by their queues. */
export const queuesOfPart = (machine: Machine, { name }: Pick<Part, 'name'>): readonly NetClientConfig[] =>
  clientsOf(machine).filter(({ part }) => part === name);

export function clientOfPart(machine: Machine, part: Part, queue = 0): NetClientConfig {
  const client = clientAt(machine, part, queue);
  invariant(client !== undefined, 'a device with packets is a net client', { name: part.name });
  return client;
}

export function clientNamed(machine: Machine, name: string): NetClientConfig {
  const client = clientsOf(machine).find((each) => each.name === name);
  invariant(client !== undefined, 'the machine has this net client', { name });
  return client;
}

export const peerOf = (machine: Machine, { peer }: NetClientConfig): NetClientConfig | undefined =>
  peer === undefined ? undefined : clientNamed(machine, peer);

/** The tap at the other end of a card's wire by which the kernel serves a ring; undefined: there is none. */
export function vhostTapOf(machine: Machine, dev: string, ring: number): NetClientConfig | undefined {
  const card = clientAt(machine, { name: dev }, ring >> 1);
  const peer = card === undefined ? undefined : peerOf(machine, card);
  return peer?.vhost === undefined ? undefined : peer;
}

/** All of them, by their queues. */
export const vhostTapsOf = (machine: Machine, dev: string): readonly NetClientConfig[] =>
  queuesOfPart(machine, { name: dev }).flatMap((_, queue) => vhostTapOf(machine, dev, 2 * queue) ?? []);

export const partOf = ({ parts }: Machine, { part }: NetClientConfig): Part | undefined =>
  part === undefined ? undefined : parts.find(({ name }) => name === part);

export function netOf({ state: { net } }: Machine): NetState {
  invariant(net !== undefined, 'a machine with packets has net clients', {});
  return net;
}

export const stateOf = (machine: Machine, { name }: NetClientConfig): NetClientState => netOf(machine).clients[name]!;

/** What is sent, and when it arrives. */
export interface Sent extends Pick<Handed, 'isQuiet'> {
  readonly bytes: Uint8Array;
  readonly header?: Uint8Array | undefined;
  readonly due?: Ns | undefined;
}

export const NO_BYTES = new Uint8Array(0);

/** A packet is sent, and has a number from then on. `machine`: what follows from that. */
export function tellSent(
  machine: Machine,
  sender: NetClientConfig,
  { bytes: read, header: asked = NO_BYTES, due = 0, isQuiet = false }: Sent,
): Handed & { readonly machine: Machine } {
  const { bytes, header } = machine.hostMemory.packet({ bytes: read, header: asked });
  const number = netOf(machine).packets;
  const raised = machine.raise({ kind: 'sim:packet_sent', client: sender.name, packet: number, bytes, due, header });
  return { number, bytes, header, sender, isQuiet, machine: machine.after(raised) };
}

/** A packet is gone. */
export function drop(
  machine: Machine,
  { name }: NetClientConfig,
  { number }: Pick<Packet, 'number'>,
  why: string,
): void {
  machine.raise({ kind: 'sim:packet_dropped', client: name, packet: number, why });
}
