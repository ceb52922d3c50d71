/** How a bridge is made, and where it stands. */
import type { Ns } from '../../base/units.ts';

/** What a bridge is made with. */
export interface BridgeSetup {
  readonly name: string;
  /** Which of the machine's it is. */
  readonly index: number;
  /** Interfaces of its ports, in order. */
  readonly interfaces: readonly string[];
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

/** What goes one way. */
export interface PortCount {
  readonly packets: number;
  readonly bytes: number;
}

/** A port of a bridge. */
export interface BridgePort {
  /** What came in at it, and what it sent. */
  readonly rx: PortCount;
  readonly tx: PortCount;
  readonly dropped: number;
}

export interface BridgeState {
  /** The forwarding database, by address as text. At most `MOST_ADDRESSES`. */
  readonly fdb: Readonly<Record<string, FdbEntry>>;
  readonly ports: Readonly<Record<string, BridgePort>>;
  /** It has no time for another frame before. */
  readonly busyUntil: Ns;
}

/** More are not learned: a guest may have as many addresses as it likes. Linux has no end by itself. */
export const MOST_ADDRESSES = 4096;

const newPort = (): BridgePort => ({ rx: { packets: 0, bytes: 0 }, tx: { packets: 0, bytes: 0 }, dropped: 0 });

export const bridgeAtReset = ({ interfaces }: BridgeSetup): BridgeState => ({
  fdb: {},
  ports: Object.fromEntries(interfaces.map((name) => [name, newPort()])),
  busyUntil: 0,
});

/** Addresses of what Linux makes itself are drawn by chance: here they say whose they are. */
const MADE = 0xfe_fd_00_00_00_00;

/** Of a bridge, which has the least of its ports', and of the port of an interface, first is 1. */
export const ownEthernet = ({ index, interfaces }: BridgeSetup, ifname?: string): number =>
  MADE + index * 0x1_0000 + (ifname === undefined ? 0 : interfaces.indexOf(ifname)) + 1;
