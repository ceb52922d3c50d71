import { Problem } from '../../base/problem.ts';
import type { Around } from '../driver.ts';
import {
  bool,
  driveId,
  isPowerOf2,
  iothreadId,
  onOffAuto,
  type PropertiesOf,
  size,
  text,
  type TextProperty,
  uint16,
  uint32,
} from '../properties.ts';
import { UNSPECIFIED, VIRTIO_PROPERTIES, type VirtioSetup } from '../virtio/index.ts';
import { MOST_SECTORS } from './registers.ts';

/** What a virtio-blk-pci is made with; QEMU's names. */
export interface BlkSetup extends VirtioSetup {
  readonly drive: string;
  readonly serial: string;
  readonly iothread: string;
  readonly 'num-queues': number;
  readonly 'queue-size': number;
  readonly 'seg-max-adjust': boolean;
  readonly logical_block_size: number;
  readonly physical_block_size: number;
  readonly min_io_size: number;
  readonly opt_io_size: number;
  readonly cyls: number;
  readonly heads: number;
  readonly secs: number;
  readonly 'write-cache': string;
  readonly 'config-wce': boolean;
  readonly rerror: string;
  readonly werror: string;
  readonly discard: boolean;
  readonly discard_granularity: number;
  readonly 'report-discard-granularity': boolean;
  readonly 'max-discard-sectors': number;
  readonly 'write-zeroes': boolean;
  readonly 'max-write-zeroes-sectors': number;
}

const onError = (help: string): TextProperty => ({
  type: 'str',
  default: 'auto',
  help,
  choice: { type: 'BlockdevOnError', of: ['report', 'ignore', 'enospc', 'stop', 'auto'] },
});

const SECTORS: readonly [number, number] = [1, MOST_SECTORS];

export const BLK_PROPERTIES: PropertiesOf<BlkSetup> = {
  ...VIRTIO_PROPERTIES,
  drive: driveId('The drive it is for'),
  serial: text('', 'What it says when it is asked for its serial number'),
  iothread: iothreadId,
  'num-queues': { ...uint16(1, 'How many queues, usually as many as there are processors', [1, 1024]), usual: 'cpus' },
  'queue-size': uint16(256, 'How many descriptors each has, a power of two', [4, 1024]),
  'seg-max-adjust': bool(true, 'As many segments as fit into a queue, not 126'),
  logical_block_size: size(512, 'Bytes a guest can write by themselves, a power of two', [512, 2 ** 21]),
  physical_block_size: size(512, 'Bytes a guest had better write together, a power of two', [512, 2 ** 21]),
  min_io_size: size(0, 'Bytes a guest had better ask for at least'),
  opt_io_size: size(0, 'Bytes a guest had best ask for'),
  cyls: uint32(0, 'Cylinders, usually as the size has it'),
  heads: uint32(0, 'Heads'),
  secs: uint32(0, 'Sectors of a track'),
  'write-cache': onOffAuto('Whether writes wait for a flush, usually as the drive has it'),
  'config-wce': bool(true, 'Offer VIRTIO_BLK_F_CONFIG_WCE'),
  rerror: onError('What becomes of a read that fails, usually as the drive has it'),
  werror: onError('What becomes of a write that fails, usually as the drive has it'),
  discard: bool(true, 'Offer VIRTIO_BLK_F_DISCARD'),
  discard_granularity: size(UNSPECIFIED, 'Bytes a guest had better discard together', [0, UNSPECIFIED]),
  'report-discard-granularity': bool(true, 'Say so'),
  'max-discard-sectors': uint32(MOST_SECTORS, 'Most sectors of a discard', SECTORS),
  'write-zeroes': bool(true, 'Offer VIRTIO_BLK_F_WRITE_ZEROES'),
  'max-write-zeroes-sectors': uint32(MOST_SECTORS, 'Most sectors of a write of zeroes', SECTORS),
};

type Flaw = readonly [isWrong: (setup: BlkSetup) => boolean, sentence: string];

/** What of a setup QEMU refuses when it makes the device: blkconf_blocksizes, virtio_blk_device_realize. */
const FLAWS = [
  [({ logical_block_size: block }) => !isPowerOf2(block), 'logical_block_size is a power of two'],
  [({ physical_block_size: block }) => !isPowerOf2(block), 'physical_block_size is a power of two'],
  [
    ({ logical_block_size: logical, physical_block_size: physical }) => logical > physical,
    'logical_block_size is larger than physical_block_size: give both',
  ],
  [
    ({ min_io_size: least, logical_block_size: block }) => least % block !== 0,
    'min_io_size is a multiple of logical_block_size',
  ],
  [
    ({ min_io_size: least, logical_block_size: block }) => least / block > 0xffff,
    'min_io_size is at most 65535 logical blocks',
  ],
  [
    ({ opt_io_size: best, logical_block_size: block }) => best % block !== 0,
    'opt_io_size is a multiple of logical_block_size',
  ],
  [
    ({ opt_io_size: best, logical_block_size: block }) => best / block > UNSPECIFIED,
    'opt_io_size is at most 4294967295 logical blocks',
  ],
  [
    ({ discard_granularity: some, logical_block_size: block }) => some !== UNSPECIFIED && some % block !== 0,
    'discard_granularity is a multiple of logical_block_size',
  ],
  [({ 'queue-size': descriptors }) => !isPowerOf2(descriptors), 'queue-size is a power of two'],
] as const satisfies readonly Flaw[];

/** Heads and sectors of every disk whose partition table says nothing else. */
const GEOMETRY = { heads: 16, secs: 63, leastCylinders: 2, mostCylinders: 16_383 } as const;

/** Its geometry follows from the size its drive was made with. Throws a Problem for what QEMU refuses. */
export function settledBlk(setup: BlkSetup, { drive }: Around): BlkSetup {
  const refuse = (sentence: string): never => {
    throw new Problem(`-device virtio-blk-pci: ${sentence}.`);
  };
  for (const [isWrong, sentence] of FLAWS) if (isWrong(setup)) refuse(sentence);
  const { cyls, heads, secs } = setup;
  if (cyls === 0 && heads === 0 && secs === 0) return { ...setup, ...geometryOf(drive?.sectors ?? 0) };
  if (cyls < 1 || cyls > 0xffff) refuse('cyls is from 1 to 65535, where heads or secs are given');
  if (heads < 1 || heads > 0xff) refuse('heads is from 1 to 255, where cyls or secs are given');
  if (secs < 1 || secs > 0xff) refuse('secs is from 1 to 255, where cyls or heads are given');
  return setup;
}

function geometryOf(sectors: number): Pick<BlkSetup, 'cyls' | 'heads' | 'secs'> {
  const { heads, secs, leastCylinders, mostCylinders } = GEOMETRY;
  const cylinders = Math.floor(sectors / (heads * secs));
  return { cyls: Math.min(Math.max(cylinders, leastCylinders), mostCylinders), heads, secs };
}
