const SECTOR = 512;
/** Where partitioning programs put the first one: before it there is room for a boot loader. */
export const FIRST_PARTITION = 2048 * SECTOR;

const DISK_SIGNATURE = 0x1b8;
const PARTITIONS = 0x1be;
const ACTIVE = 0x80;
const LINUX = 0x83;
/** Cylinder, head and sector of what lies beyond what they can say. */
const BEYOND = [0xfe, 0xff, 0xff];

/** GRUB's include/grub/i386/pc/boot.h: where boot.img keeps the sector it loads, and where it tests its drive. */
const KERNEL_SECTOR = 0x5c;
const DRIVE_CHECK = 0x66;
const NOP = 0x90;
/** The last of the lists of blocks in core.img's first sector, which loads the rest: start, length, segment. */
const BLOCK_LIST = SECTOR - 12;

export interface Loader {
  readonly boot: Uint8Array;
  readonly core: Uint8Array;
}

/**
 * What lies before the only partition of a disk: GRUB's boot.img with a partition table, and core.img in the sectors
 * behind it. grub-mkimage has written into core.img that the rest of it follows its first sector.
 */
export function bootTrack({ boot, core }: Loader, partition: number, signature: number): Uint8Array {
  const track = new Uint8Array(FIRST_PARTITION);
  const sectors = Math.ceil(core.length / SECTOR);
  if (boot.length !== SECTOR) throw new Error(`boot.img is ${boot.length} bytes long: it is a sector's.`);
  if (SECTOR + core.length > track.length) throw new Error(`core.img is too long for the boot track: ${core.length}.`);
  track.set(boot);
  track.set(core, SECTOR);
  const view = new DataView(track.buffer);
  const follows = view.getBigUint64(KERNEL_SECTOR, true) === 1n && view.getBigUint64(SECTOR + BLOCK_LIST, true) === 2n;
  if (!follows || view.getUint16(SECTOR + BLOCK_LIST + 8, true) !== sectors - 1) {
    throw new Error('boot.img and core.img do not say that one lies behind the other.');
  }
  // GRUB's own installer does so on hard disks: the drive the BIOS names is the one.
  track.set([NOP, NOP], DRIVE_CHECK);
  view.setUint32(DISK_SIGNATURE, signature, true);
  view.setUint16(DISK_SIGNATURE + 4, 0, true);
  track.set([ACTIVE, ...BEYOND, LINUX, ...BEYOND], PARTITIONS);
  view.setUint32(PARTITIONS + 8, FIRST_PARTITION / SECTOR, true);
  view.setUint32(PARTITIONS + 12, partition / SECTOR, true);
  track.fill(0, PARTITIONS + 16, SECTOR - 2);
  track.set([0x55, 0xaa], SECTOR - 2);
  return track;
}
