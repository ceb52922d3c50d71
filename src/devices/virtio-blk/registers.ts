/** Virtio 1.1, 5.2; VIRTIO_BLK_T_*, VIRTIO_BLK_S_*. */

export const TYPE = {
  in: 0,
  out: 1,
  scsiCommand: 2,
  flush: 4,
  getId: 8,
  discard: 11,
  writeZeroes: 13,
  /** A flag of old drivers, which QEMU ignores. */
  barrier: 0x8000_0000,
} as const;

export const RESULT = { ok: 0, ioError: 1, unsupported: 2 } as const;

/** Feature bits. */
export const FEATURE = {
  segMax: 2,
  geometry: 4,
  readOnly: 5,
  blockSize: 6,
  scsi: 7,
  flush: 9,
  topology: 10,
  configWce: 11,
  multiQueue: 12,
  discard: 13,
  writeZeroes: 14,
} as const;

/** Bytes a request begins with: type, priority, sector. */
export const HEADER_BYTES = 16;

/** What a discard or a write of zeroes has as its data: sector, count, flags. */
export const RANGE_BYTES = 16;
export const UNMAP = 1;

/** BDRV_REQUEST_MAX_SECTORS. */
export const MOST_SECTORS = 0x3f_ffff;

/** VIRTIO_BLK_ID_BYTES. */
export const ID_BYTES = 20;

/** Places in struct virtio_blk_config, which is this long. */
export const CONFIG = {
  capacity: 0x00,
  segMax: 0x0c,
  cylinders: 0x10,
  heads: 0x12,
  sectors: 0x13,
  blockSize: 0x14,
  physicalBlockExponent: 0x18,
  minIoSize: 0x1a,
  optIoSize: 0x1c,
  wce: 0x20,
  queues: 0x22,
  discardSectors: 0x24,
  discardSegments: 0x28,
  discardAlignment: 0x2c,
  zeroSectors: 0x30,
  zeroSegments: 0x34,
  zeroMayUnmap: 0x38,
  bytes: 0x39,
} as const;
