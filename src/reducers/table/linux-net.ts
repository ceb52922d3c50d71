import type { LINUX_NET_FACTS } from '../../events/linux-net.ts';
import { deviceFactOf } from '../../vmm/evolve/devices.ts';
import * as net from '../../vmm/evolve/net.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';
import * as threads from '../threads.ts';

export const LINUX_NET_ROWS: Rows<keyof typeof LINUX_NET_FACTS> = {
  'sim:tap_ioctl': changes(
    ['net', 'schedule', 'devices'],
    vmm(net.tapAsked),
    threads.frameRead,
    vmm(deviceFactOf(net.partAt)),
  ),
  'sim:tap_flow': changes(['devices'], vmm(deviceFactOf(net.partAt))),
  'sim:script_run': tells,
  'sim:tap_queued': changes(['net', 'schedule'], vmm(net.tapQueued), threads.frameCame),
  'sim:packet_cut': changes(['net'], vmm(net.cut)),
  'sim:tap_read': changes(
    ['net', 'schedule', 'devices'],
    vmm(net.tapRead),
    threads.frameRead,
    vmm(deviceFactOf(net.partAt)),
  ),
  'sim:tap_poll': changes(['net', 'schedule'], vmm(net.tapPolled), threads.frameCame),
  'sim:bridge_learned': changes(['devices'], vmm(deviceFactOf(net.partOfBridge))),
  'sim:bridge_moved': changes(['devices'], vmm(deviceFactOf(net.partOfBridge))),
  'sim:bridge_aged': changes(['devices'], vmm(deviceFactOf(net.partOfBridge))),
  'sim:bridge_port': changes(['devices'], vmm(deviceFactOf(net.partOfBridge))),
  'sim:bridge_tree': changes(['devices'], vmm(deviceFactOf(net.partOfBridge))),
  'sim:bridge_forwarded': changes(['net', 'devices'], vmm(net.bridged), vmm(deviceFactOf(net.partOfBridge))),
};
