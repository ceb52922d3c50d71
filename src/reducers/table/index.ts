import type { EventKind } from '../../events/vocabulary.ts';
import type { Rows } from '../row.ts';
import { DEVICE_ROWS } from './device.ts';
import { DIRTY_ROWS } from './dirty.ts';
import { DISK_ROWS } from './disk.ts';
import { E1000_ROWS } from './e1000.ts';
import { FRAMES_ROWS } from './frames.ts';
import { IOCTL_ROWS } from './ioctl.ts';
import { KVM_ROWS } from './kvm.ts';
import { KVM_FACT_ROWS } from './kvm-facts.ts';
import { LINUX_NET_ROWS } from './linux-net.ts';
import { MMU_ROWS } from './mmu.ts';
import { NET_ROWS } from './net.ts';
import { QEMU_ROWS } from './qemu.ts';
import { RTL8139_ROWS } from './rtl8139.ts';
import { SIM_ROWS } from './sim.ts';
import { USER_NET_ROWS } from './user-net.ts';
import { USER_LIVE_ROWS } from './user-live.ts';
import { USER_TCP_ROWS } from './user-tcp.ts';
import { VHOST_ROWS } from './vhost.ts';
import { VIRTIO_NET_ROWS } from './virtio-net.ts';
import { VIRTIO_BLK_ROWS, VIRTIO_ROWS } from './virtio.ts';

/** What every kind of event does to the state. */
export const REDUCERS: Rows<EventKind> = {
  ...KVM_ROWS,
  ...MMU_ROWS,
  ...QEMU_ROWS,
  ...SIM_ROWS,
  ...KVM_FACT_ROWS,
  ...IOCTL_ROWS,
  ...DEVICE_ROWS,
  ...VIRTIO_ROWS,
  ...VIRTIO_BLK_ROWS,
  ...DISK_ROWS,
  ...NET_ROWS,
  ...LINUX_NET_ROWS,
  ...VHOST_ROWS,
  ...E1000_ROWS,
  ...RTL8139_ROWS,
  ...VIRTIO_NET_ROWS,
  ...USER_NET_ROWS,
  ...USER_TCP_ROWS,
  ...USER_LIVE_ROWS,
  ...FRAMES_ROWS,
  ...DIRTY_ROWS,
};
