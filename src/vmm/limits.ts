/** What the machine `pc` can have: on the command line, and in the header of a trace that anybody may have written. */
export const MOST = {
  iothreads: 16,
  /** 32-bit PCI hole and the address space below it. */
  memoryMiB: 3072,
  cpus: 4,
  /** More than there are slots, ports and interrupts for. */
  devices: 64,
  serialLines: 4,
  drives: 32,
  netdevs: 32,
  announcements: 16,
  hub: 255,
  bridges: 16,
  /** Ports of a bridge: STP's numbers go as far as 1023. */
  ports: 64,
  ageingNs: 1_000_000_000_000,
  /** Linux' IFNAMSIZ without the end. */
  ifname: 15,
  mtu: { least: 68, most: 65_521 },
  driveId: 64,
  /** Of a drive, and of all: checkpoints have a word for each MiB. */
  driveBytes: 2 ** 41,
  drivesBytes: 2 ** 42,
  /** Of a drive. */
  faults: 64,
  /** A second: what a request may take longer. */
  jitterNs: 1_000_000_000,
  /** Linux' MAX_ERRNO. */
  errno: 4095,
  /** Files of fw_cfg besides the machine's own: it has 32 places. */
  fwCfgFiles: 12,
  /** Of each: a trace keeps them. */
  fwCfgBytes: 4 << 20,
  /** Milliseconds, as QEMU bounds them. */
  splashTime: 0xffff,
  rebootTimeout: 0xffff,
  nsPerTick: 1_000_000,
  /** Of each of `events/costs.ts`: a second. */
  costNs: 1_000_000_000,
} as const;

/** `announce_self`: milliseconds and rounds as QEMU 7.2 bounds them (migration/migration.c). */
export const ANNOUNCE = {
  ...{ initial: [0, 100_000], max: [0, 100_000], rounds: [0, 1000], step: [1, 10_000] },
} as const satisfies Record<string, readonly [least: number, most: number]>;

/** `-boot order=`: floppies a and b, disk, CD-ROM, network; each once. */
export const BOOT_ORDER = /^(?!.*(.).*\1)[a-dn]{1,3}$/;

/** What a file of fw_cfg can be called: its place in the directory has 56 bytes. */
export const FW_CFG_NAME = /^[!-~]{1,55}$/;

/** `-drive id=`, as QEMU spells an identifier. */
export const DRIVE_ID = /^[a-z][\w.-]*$/i;

/** What the modelled Linux calls a bridge: a dot would end the name of its timers. */
export const BRIDGE_NAME = /^[a-z][\w-]{0,14}$/i;

/** What it calls an interface. */
export const IFNAME = /^[a-z][\w.-]{0,14}$/i;

/** `-netdev id=`; QEMU makes some itself, which begin with #. */
export const NETDEV_ID = /^#?[a-z][\w.-]*$/i;
