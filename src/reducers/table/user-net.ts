import type { USER_NET_EVENTS } from '../../events/user-net.ts';
import { deviceFact } from '../../vmm/evolve/devices.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

const OF_ITS_DEVICE = ({ dev }: { readonly dev: string }): string => dev;

export const USER_NET_ROWS: Rows<keyof typeof USER_NET_EVENTS> = {
  'sim:neighbor_learned': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:dhcp_leased': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:dhcp_refused': tells,
  'sim:fragment_kept': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:fragments_over': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:name_resolved': tells,
  'sim:tftp_opened': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tftp_sent': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tftp_closed': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:packet_unresolved': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:packets_resolved': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
};
