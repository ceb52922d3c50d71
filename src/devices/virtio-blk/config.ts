/** Configuration and features of a virtio block device. QEMU 7.2: virtio_blk_update_config, virtio_blk_get_features. */
import { UNSPECIFIED } from '../virtio/index.ts';
import { SECTOR } from '../../base/units.ts';
import { invariant } from '../../base/invariant.ts';
import type { DriveInfo, Effects } from '../device.ts';
import { CONFIG, FEATURE } from './registers.ts';
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

/** Most segments of a request where they are not as many as fit into a queue, and what a request takes besides. */
const SEGMENTS = 128;
const OTHER_SEGMENTS = 2;

/** struct virtio_blk_config as it is now. */
export function configOf(setup: BlkSetup, { sectors }: DriveInfo, writeCache: boolean): Uint8Array {
  const bytes = new Uint8Array(lengthOf(setup));
  const config = new DataView(new ArrayBuffer(CONFIG.bytes));
  const { logical_block_size: block, min_io_size: least, opt_io_size: best } = setup;
  config.setBigUint64(CONFIG.capacity, BigInt(sectors), true);
  config.setUint32(CONFIG.segMax, (setup['seg-max-adjust'] ? setup['queue-size'] : SEGMENTS) - OTHER_SEGMENTS, true);
  config.setUint16(CONFIG.cylinders, setup.cyls, true);
  config.setUint8(CONFIG.heads, setup.heads);
  config.setUint8(CONFIG.sectors, trackOf(setup, sectors));
  config.setUint32(CONFIG.blockSize, block, true);
  config.setUint8(CONFIG.physicalBlockExponent, blocksPerPhysical(setup));
  config.setUint16(CONFIG.minIoSize, least / block, true);
  config.setUint32(CONFIG.optIoSize, best / block, true);
  config.setUint8(CONFIG.wce, writeCache ? 1 : 0);
  config.setUint16(CONFIG.queues, setup['num-queues'], true);
  if (setup.discard) discardIn(config, setup);
  if (setup['write-zeroes']) {
    config.setUint32(CONFIG.zeroSectors, setup['max-write-zeroes-sectors'], true);
    config.setUint32(CONFIG.zeroSegments, 1, true);
    config.setUint8(CONFIG.zeroMayUnmap, 1);
  }
  bytes.set(new Uint8Array(config.buffer, 0, bytes.length));
  return bytes;
}

/** It ends behind the last field that a feature makes known. */
const lengthOf = ({ discard, 'write-zeroes': zeroes }: BlkSetup): number =>
  zeroes ? CONFIG.bytes : discard ? CONFIG.zeroSectors : CONFIG.discardSectors;

/** Sectors of a track, so that a disk of larger blocks ends with a whole one. */
function trackOf({ heads, secs, logical_block_size: block }: BlkSetup, sectors: number): number {
  const perTrack = Math.floor(Math.floor((sectors * SECTOR) / heads) / secs);
  return perTrack % block === 0 ? secs : secs & ~(block / SECTOR - 1) & 0xff;
}

function discardIn(config: DataView, setup: BlkSetup): void {
  const { discard_granularity: asked, 'report-discard-granularity': isSaid, logical_block_size: block } = setup;
  const granularity = asked === UNSPECIFIED || !isSaid ? block : asked;
  config.setUint32(CONFIG.discardSectors, setup['max-discard-sectors'], true);
  config.setUint32(CONFIG.discardSegments, 1, true);
  config.setUint32(CONFIG.discardAlignment, Math.floor(granularity / SECTOR), true);
}

const blocksPerPhysical = ({ logical_block_size: logical, physical_block_size: physical }: BlkSetup): number =>
  Math.max(0, Math.floor(Math.log2(physical / logical)));
