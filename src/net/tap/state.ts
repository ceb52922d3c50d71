/** How a tap is made, and where it stands. */
import type { Ns } from '../../base/units.ts';

/** What is given of `-netdev tap`, and of `-netdev bridge`. */
export interface TapOptions {
  readonly ifname: string;
  readonly br: string;
  readonly script: string;
  readonly downscript: string;
  readonly helper: string;
  readonly vnet_hdr: boolean;
  readonly sndbuf: number;
  readonly queues: number;
  readonly fds: string;
  readonly vhost: boolean;
  readonly vhostfd: string;
  readonly vhostfds: string;
  readonly vhostforce: boolean;
  readonly 'poll-us': number;
  /** Its bridge is elsewhere: what is written goes there, and what comes from there is an input. */
  readonly carried: boolean;
}

/** With what the machine knows besides. */
export interface TapSetup extends TapOptions {
  /** QEMU's net clients, one a pair of queues. */
  readonly clients: readonly string[];
  /** The kernel's interface, and the bridge it is a port of; empty: of none. */
  readonly interface: string;
  readonly bridge: string;
}

/** One way of an interface, as `ip -s link` counts it. */
export interface InterfaceCount {
  readonly packets: number;
  readonly bytes: number;
  readonly errors: number;
  readonly dropped: number;
}

/** tun_flow_entry. */
export interface TapFlow {
  /** The kernel's number of the queue that QEMU wrote to last. */
  readonly queue: number;
  /** Virtual nanosecond at which it is forgotten, if nobody writes again. */
  readonly until: Ns;
}

/** QEMU's TAPState and the kernel's tun, apart from the queue between them, which is the machine's. */
export interface TapState {
  /** Bytes of the header before each packet at the file descriptor; 0: there is none. TUNSETVNETHDRSZ. */
  readonly headerBytes: number;
  /** What packets may leave to whoever reads them: TUN_F_*. TUNSETOFFLOAD. */
  readonly offloads: number;
  readonly sndbuf: number;
  /** Clients whose queues are in use, by the kernel's numbers of them: tun->tfiles. */
  readonly attached: readonly string[];
  /** Where conversations go, by their hash. */
  readonly flows: Readonly<Record<number, TapFlow>>;
  /** Of the hash: 16 bytes, a character each; empty until one is needed. */
  readonly key: string;
  /** What QEMU wrote is what the interface receives. */
  readonly rx: InterfaceCount;
  readonly tx: InterfaceCount;
}

/** MAX_TAP_FLOWS. */
export const MOST_FLOWS = 4096;

/** In nanoseconds. */
export const SECOND = 1_000_000_000;

/** TUN_READQ_SIZE: frames that wait for a reader at most. */
export const QUEUE_LENGTH = 500;

/** Flags of TUNSETIFF and TUNSETQUEUE. */
export const IFF = {
  ...{ tap: 0x0002, attach: 0x0200, detach: 0x0400, multiQueue: 0x0100 },
  ...{ noPi: 0x1000, oneQueue: 0x2000, vnetHdr: 0x4000 },
} as const;

/** TUN_F_*. */
export const OFFLOAD = { checksum: 1, tso4: 2, tso6: 4, ecn: 8, ufo: 0x10 } as const;

const nothing = (): InterfaceCount => ({ packets: 0, bytes: 0, errors: 0, dropped: 0 });

export const tapAtReset = (): TapState => ({
  ...{ headerBytes: 0, offloads: 0, sndbuf: 0, attached: [], flows: {}, key: '' },
  ...{ rx: nothing(), tx: nothing() },
});
