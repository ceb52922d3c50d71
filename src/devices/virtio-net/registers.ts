/** Virtio 1.1, 5.1; 1.2 for what came later. */

/** Feature bits. From 32 on they are in the high word. */
export const FEATURE = {
  checksum: 0,
  guestChecksum: 1,
  controlGuestOffloads: 2,
  mtu: 3,
  mac: 5,
  /** Of the legacy interface alone. */
  gso: 6,
  guestTso4: 7,
  guestTso6: 8,
  guestEcn: 9,
  guestUfo: 10,
  hostTso4: 11,
  hostTso6: 12,
  hostEcn: 13,
  hostUfo: 14,
  mergeable: 15,
  status: 16,
  control: 17,
  controlRx: 18,
  controlVlan: 19,
  controlRxExtra: 20,
  announce: 21,
  multiQueue: 22,
  controlMac: 23,
  version1: 32,
  /** A queue may be reset alone. */
  ringReset: 40,
  hashReport: 57,
  rss: 60,
  rscExtended: 61,
  speedDuplex: 63,
} as const;

/** The status field of the configuration. */
export const LINK_UP = 1;
export const ANNOUNCE = 2;

/** Places in struct virtio_net_config, and where each field ends. */
export const CONFIG = {
  mac: 0,
  status: 6,
  pairs: 8,
  mtu: 10,
  speed: 12,
  duplex: 16,
  rssKey: 17,
  rssTable: 18,
  hashTypes: 20,
  bytes: 24,
} as const;

/** Bytes of the header before a frame: by the oldest interface, with the number of buffers, with a hash. */
export const HEADER = { least: 10, buffers: 12, hash: 20 } as const;

/** In a header: where the number of buffers is. */
export const NUM_BUFFERS = 10;

/** Classes and commands of the control queue: VIRTIO_NET_CTRL_*. */
export const CONTROL = {
  rx: 0,
  mac: 1,
  vlan: 2,
  announce: 3,
  multiQueue: 4,
  guestOffloads: 5,
} as const;

export const MAC_COMMAND = { tableSet: 0, addressSet: 1 } as const;
export const VLAN_COMMAND = { add: 0, remove: 1 } as const;
export const MQ_COMMAND = { pairsSet: 0, rssConfig: 1, hashConfig: 2 } as const;
export const OFFLOADS_SET = 0;
export const ANNOUNCE_ACK = 0;

/** What a command is answered with. */
export const ACK = { ok: 0, error: 1 } as const;

export const MAC_BYTES = 6;

/** MAC_TABLE_ENTRIES, MAX_VLAN, and the most pairs a driver may ask for. */
export const MOST = { macs: 64, vlans: 4096, pairs: 0x8000 } as const;

/** NET_BUFSIZE: a longer frame goes nowhere. */
export const MOST_FRAME = 4096 + 65_536;

/** Descriptors of the control queue. */
export const CONTROL_DESCRIPTORS = 64;
