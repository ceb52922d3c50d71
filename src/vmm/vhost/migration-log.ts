/** QEMU has the kernel's half log what it writes, and takes what it logged. QEMU 7.2: hw/virtio/vhost.c. */
import { pagesBetween } from '../../memory/page-bits.ts';
import type { Machine } from '../board/machine.ts';
import type { NetClientConfig } from '../config.ts';
import { tellPages } from '../memory/written.ts';
import { clientsOf } from '../net/clients.ts';
import { ringAddresses } from './addresses.ts';
import { FEATURE } from './features.ts';
import { vhostIoctl } from './ioctl.ts';
import { memoryTable } from './memory-table.ts';
import { vhostOf } from './served.ts';

const PAGE = 4096;

const isVhost = ({ vhost }: NetClientConfig): boolean => vhost !== undefined;

const isStarted = (machine: Machine, tap: NetClientConfig): boolean =>
  vhostOf(machine, tap).vrings.some(({ hasBackend }) => hasBackend);

/** vhost_migration_log: features and rings of devices that are started. */
export function logVhosts(machine: Machine, on: boolean): void {
  for (const tap of clientsOf(machine).filter(isVhost)) {
    if (!isStarted(machine, tap)) continue;
    if (on) giveLog(machine, tap);
    vhostIoctl(machine, tap, 'VHOST_SET_FEATURES', { arg: featuresWord(machine, tap, on) });
    for (const [queue, vring] of vhostOf(machine, tap).vrings.entries()) {
      if (vring.desc === 0) continue;
      vhostIoctl(machine, tap, 'VHOST_SET_VRING_ADDR', { queue, arg: on ? LOGGED : 0, more: ringAddresses(vring) });
    }
  }
}

/** VHOST_VRING_F_LOG. */
export const LOGGED = 1;

function featuresWord(machine: Machine, tap: NetClientConfig, on: boolean): bigint {
  const [low, high] = vhostOf(machine, tap).features;
  const bit = 1 << FEATURE.logAll;
  return (BigInt(high) << 32n) | BigInt((on ? low | bit : low & ~bit) >>> 0);
}

/** A word of the log is of 64 pages. */
const CHUNK = 64 * PAGE;

/** The log has a bit for each page up to the end of the guest's memory: vhost_get_log_size, vhost_dev_log_resize. */
export function giveLog(machine: Machine, tap: NetClientConfig): void {
  const ends = memoryTable(machine).map(({ gpa, size }) => gpa + size);
  vhostIoctl(machine, tap, 'VHOST_SET_LOG_BASE', { arg: Math.ceil(Math.max(0, ...ends) / CHUNK) });
}

/** vhost_log_sync of all devices. */
export function syncVhosts(machine: Machine): void {
  for (const tap of clientsOf(machine).filter(isVhost)) {
    if (isStarted(machine, tap)) takeLog(machine, tap);
    machine.raise({ kind: 'memory_region_sync_dirty', mr: '(all)', listener: 'vhost', global: false });
  }
}

/** What a device has in its log is QEMU's: vhost_sync_dirty_bitmap. */
export function takeLog(machine: Machine, tap: NetClientConfig): void {
  for (const { gpa, size } of memoryTable(machine)) {
    const { log } = vhostOf(machine, tap);
    if (log === undefined) return;
    tellPages(machine, 'vhost', pagesBetween(log.pages, gpa / PAGE, (gpa + size) / PAGE), tap.name);
  }
}
