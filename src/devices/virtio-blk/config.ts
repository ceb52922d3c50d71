/** Configuration and features of a virtio block device. QEMU 7.2: virtio_blk_update_config, virtio_blk_get_features. */
import { invariant } from '../../base/invariant.ts';
import type { DriveInfo, Effects } from '../device.ts';
import { CONFIG, FEATURE, MOST_SECTORS } from './registers.ts';
import type { BlkSetup } from './setup.ts';

/** The drive it is for, which is there: a machine is not made otherwise. */
export function driveOf({ drive }: BlkSetup, effects: Effects): DriveInfo {
  const info = effects.drive(drive);
  invariant(info !== undefined, 'a block device has its drive', { drive });
  return info;
}

/** Low word of its features. Without Virtio 1 it takes SCSI commands, to refuse them one by one. */
export function featuresOf(setup: BlkSetup, { readOnly }: DriveInfo, isModern: boolean): number {
  const { segMax, geometry, blockSize, topology, flush, configWce, multiQueue, discard, writeZeroes } = FEATURE;
  const bits = [
    ...[segMax, geometry, blockSize, topology, flush],
    ...(isModern ? [] : [FEATURE.scsi]),
    ...(readOnly ? [FEATURE.readOnly] : []),
    ...(setup['config-wce'] ? [configWce] : []),
    ...(setup['num-queues'] > 1 ? [multiQueue] : []),
    ...(setup.discard ? [discard] : []),
    ...(setup['write-zeroes'] ? [writeZeroes] : []),
  ];
  return bits.reduce((word, bit) => word | (1 << bit), 0) >>> 0;
}

/** Heads and sectors of every disk whose partition table says nothing else. */
const GEOMETRY = { heads: 16, sectors: 63, leastCylinders: 2, mostCylinders: 16_383 } as const;

/** struct virtio_blk_config as it is now. */
export function configOf(setup: BlkSetup, { sectors }: DriveInfo, writeCache: boolean): Uint8Array {
  const bytes = new Uint8Array(setup['write-zeroes'] || setup.discard ? CONFIG.bytes : CONFIG.discardSectors);
  const config = new DataView(new ArrayBuffer(CONFIG.bytes));
  const { heads, sectors: perTrack, leastCylinders, mostCylinders } = GEOMETRY;
  const cylinders = Math.floor(sectors / (heads * perTrack));
  config.setBigUint64(CONFIG.capacity, BigInt(sectors), true);
  config.setUint32(CONFIG.segMax, setup['queue-size'] - 2, true);
  config.setUint16(CONFIG.cylinders, Math.min(Math.max(cylinders, leastCylinders), mostCylinders), true);
  config.setUint8(CONFIG.heads, heads);
  config.setUint8(CONFIG.sectors, perTrack);
  config.setUint32(CONFIG.blockSize, setup.logical_block_size, true);
  config.setUint8(CONFIG.physicalBlockExponent, blocksPerPhysical(setup));
  config.setUint8(CONFIG.wce, writeCache ? 1 : 0);
  config.setUint16(CONFIG.queues, setup['num-queues'], true);
  config.setUint32(CONFIG.discardSectors, MOST_SECTORS, true);
  config.setUint32(CONFIG.discardSegments, 1, true);
  config.setUint32(CONFIG.discardAlignment, setup.logical_block_size / 512, true);
  config.setUint32(CONFIG.zeroSectors, MOST_SECTORS, true);
  config.setUint32(CONFIG.zeroSegments, 1, true);
  config.setUint8(CONFIG.zeroMayUnmap, 1);
  bytes.set(new Uint8Array(config.buffer, 0, bytes.length));
  return bytes;
}

const blocksPerPhysical = ({ logical_block_size: logical, physical_block_size: physical }: BlkSetup): number =>
  Math.max(0, Math.floor(Math.log2(physical / logical)));
