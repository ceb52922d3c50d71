/** How a bridge is made, and where it stands. */
import type { Ns } from '../../base/units.ts';

/** What a bridge is made with. */
export interface BridgeSetup {
  readonly name: string;
  /** Which of the machine's it is. */
  readonly index: number;
  /** Interfaces of its ports, in order. */
  readonly interfaces: readonly string[];
  /** Those of them that are taps. */
  readonly taps: readonly string[];
  readonly stp: boolean;
  readonly ageing: Ns;
  readonly mtu: number;
  readonly priority: number;
  readonly address?: string | undefined;
}

/** Where an address was heard last, and when: virtual nanosecond. */
export interface FdbEntry {
  readonly port: string;
  readonly updated: Ns;
}

export type PortState = 'blocking' | 'listening' | 'learning' | 'forwarding';

/** What a port knows of the tree: what was said there last that is better than all before. */
export interface TreePort {
  readonly state: PortState;
  /** Identifiers are eight bytes, as digits. */
  readonly root: string;
  readonly cost: number;
  readonly designated: string;
  readonly port: number;
  /** Virtual nanosecond at which the root said it. */
  readonly heard: Ns;
  /** It is to be said that a change was heard of. */
  readonly ack: boolean;
  /** A message is to be sent once one may be. */
  readonly pending: boolean;
}

/** The tree as the bridge sees it. */
export interface Tree {
  readonly root: string;
  readonly cost: number;
  /** The port towards the root; empty: the bridge is that. */
  readonly port: string;
  readonly maxAge: Ns;
  readonly hello: Ns;
  readonly forwardDelay: Ns;
  /** The root says that the tree has changed; the bridge has seen it. */
  readonly change: boolean;
  readonly changeSeen: boolean;
}

export interface BridgeState {
  /** The forwarding database, by address as text. At most `MOST_ADDRESSES`. */
  readonly fdb: Readonly<Record<string, FdbEntry>>;
  /** What its ports know of the spanning tree. Empty where there is none. */
  readonly ports: Readonly<Record<string, TreePort>>;
  /** It has no time for another frame before. */
  readonly busyUntil: Ns;
  /** Absent: it does not speak the protocol. */
  readonly tree?: Tree;
}

/** More are not learned: a guest may have as many addresses as it likes. Linux has no end by itself. */
export const MOST_ADDRESSES = 4096;

/** A bridge's identifier: its priority, then its address. */
export const idOf = (setup: BridgeSetup): string =>
  setup.priority.toString(16).padStart(4, '0') + ownEthernet(setup).toString(16).padStart(12, '0');

/** What a way over a port costs: a tap says that it has 10 Mb/s, a cable 10 Gb/s. port_cost of Linux. */
export const costOf = ({ taps }: BridgeSetup, ifname: string): number => (taps.includes(ifname) ? 100 : 2);

const SECOND = 1_000_000_000;

/** Times of a bridge that is the root: those of Linux, and of the standard. */
export const OWN_TIMES = { maxAge: 20 * SECOND, hello: 2 * SECOND, forwardDelay: 15 * SECOND } as const;

const newTree = (root: string): Tree => ({
  ...{ root, cost: 0, port: '', change: false, changeSeen: false },
  ...OWN_TIMES,
});

const newPort = (root: string): TreePort => ({
  ...{ state: 'blocking', root, cost: 0, designated: root, port: 0, heard: 0, ack: false, pending: false },
});

export function bridgeAtReset(setup: BridgeSetup): BridgeState {
  const nothing = { fdb: {}, ports: {}, busyUntil: 0 };
  if (!setup.stp) return nothing;
  const root = idOf(setup);
  const ports = Object.fromEntries(setup.interfaces.map((name) => [name, newPort(root)]));
  return { ...nothing, ports, tree: newTree(root) };
}

/** Addresses of what Linux makes itself are drawn by chance: here they say whose they are. */
const MADE = 0xfe_fd_00_00_00_00;

/** Of a bridge, which has the least of its ports', and of the port of an interface, first is 1. */
export const ownEthernet = ({ index, interfaces }: BridgeSetup, ifname?: string): number =>
  MADE + index * 0x1_0000 + (ifname === undefined ? 0 : interfaces.indexOf(ifname)) + 1;
