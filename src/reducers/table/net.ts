import type { NET_FACTS, NET_INPUTS } from '../../events/net.ts';
import { deviceFactOf } from '../../vmm/evolve/devices.ts';
import * as net from '../../vmm/evolve/net.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

export const NET_ROWS: Rows<keyof typeof NET_FACTS | keyof typeof NET_INPUTS> = {
  'sim:packet_sent': changes(['net', 'devices'], vmm(net.sent), vmm(deviceFactOf(net.partAt))),
  'sim:packet_delivered': changes(['net', 'devices'], vmm(net.delivered), vmm(deviceFactOf(net.partAt))),
  'sim:packet_queued': changes(['net'], vmm(net.queued)),
  'sim:packets_offered': changes(['net'], vmm(net.offered)),
  'sim:packet_dropped': changes(['net', 'devices'], vmm(net.dropped), vmm(deviceFactOf(net.partAt))),
  'sim:packet_forwarded': changes(['net'], vmm(net.forwarded)),
  qemu_announce_self_iter: tells,
  'sim:announce_waits': changes(['net'], vmm(net.announceWaits)),
  qemu_announce_timer_del: changes(['net'], vmm(net.announceOver)),
  'sim:announce_asked': changes(['net'], vmm(net.announceAsked)),
  'sim:frame_received': tells,
  'sim:packet_received': tells,
  'sim:link_set': changes(['net'], vmm(net.linkSet)),
};
