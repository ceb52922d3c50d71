import type { USER_NET_EVENTS } from '../../events/user-net.ts';
import { ofItsDevice } from './of-device.ts';
import { type Rows, tells } from '../row.ts';

export const USER_NET_ROWS: Rows<keyof typeof USER_NET_EVENTS> = {
  'sim:neighbor_learned': ofItsDevice(),
  'sim:dhcp_leased': ofItsDevice(),
  'sim:dhcp_refused': tells,
  'sim:fragment_kept': ofItsDevice(),
  'sim:fragments_over': ofItsDevice(),
  'sim:name_resolved': tells,
  'sim:tftp_opened': ofItsDevice(),
  'sim:tftp_sent': ofItsDevice(),
  'sim:tftp_closed': ofItsDevice(),
  'sim:packet_unresolved': ofItsDevice(),
  'sim:packets_resolved': ofItsDevice(),
};
