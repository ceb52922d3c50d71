/** How a tap is made, and where it stands. */

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
  /** QEMU's net client. */
  readonly client: string;
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

/** QEMU's TAPState and the kernel's tun, apart from the queue between them, which is the machine's. */
export interface TapState {
  /** Bytes of the header before each packet at the file descriptor; 0: there is none. TUNSETVNETHDRSZ. */
  readonly headerBytes: number;
  /** What packets may leave to whoever reads them: TUN_F_*. TUNSETOFFLOAD. */
  readonly offloads: number;
  readonly sndbuf: number;
  /** What QEMU wrote is what the interface receives. */
  readonly rx: InterfaceCount;
  readonly tx: InterfaceCount;
}

/** TUN_READQ_SIZE: frames that wait for a reader at most. */
export const QUEUE_LENGTH = 500;

/** TUN_F_*. */
export const OFFLOAD = { checksum: 1, tso4: 2, tso6: 4, ecn: 8, ufo: 0x10 } as const;

const nothing = (): InterfaceCount => ({ packets: 0, bytes: 0, errors: 0, dropped: 0 });

export const tapAtReset = (): TapState => ({ headerBytes: 0, offloads: 0, sndbuf: 0, rx: nothing(), tx: nothing() });
