import { bool, driveId, iothreadId, type PropertiesOf, uint16, uint32 } from '../properties.ts';
import { VIRTIO_PROPERTIES, type VirtioSetup } from '../virtio/index.ts';

/** What a virtio-blk-pci is made with; QEMU's names. */
export interface BlkSetup extends VirtioSetup {
  readonly drive: string;
  readonly iothread: string;
  readonly 'num-queues': number;
  readonly 'queue-size': number;
  readonly logical_block_size: number;
  readonly physical_block_size: number;
  readonly 'config-wce': boolean;
  readonly discard: boolean;
  readonly 'write-zeroes': boolean;
}

export const BLK_PROPERTIES: PropertiesOf<BlkSetup> = {
  ...VIRTIO_PROPERTIES,
  drive: driveId('The drive it is for'),
  iothread: iothreadId,
  'num-queues': { ...uint16(0, 'How many queues, usually as many as there are processors', [1, 1024]), usual: 'cpus' },
  'queue-size': uint16(256, 'How many descriptors each has', [4, 1024]),
  logical_block_size: uint32(512, 'Bytes a guest can write by themselves', [512, 2 ** 21]),
  physical_block_size: uint32(512, 'Bytes a guest had better write together', [512, 2 ** 21]),
  'config-wce': bool(true, 'Offer VIRTIO_BLK_F_CONFIG_WCE'),
  discard: bool(true, 'Offer VIRTIO_BLK_F_DISCARD'),
  'write-zeroes': bool(true, 'Offer VIRTIO_BLK_F_WRITE_ZEROES'),
};
