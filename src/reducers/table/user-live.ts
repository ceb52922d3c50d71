import type { USER_LIVE_FACTS, USER_LIVE_INPUTS } from '../../events/user-live.ts';
import { deviceFact } from '../../vmm/evolve/devices.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

const OF_ITS_DEVICE = ({ dev }: { readonly dev: string }): string => dev;

export const USER_LIVE_ROWS: Rows<keyof typeof USER_LIVE_FACTS | keyof typeof USER_LIVE_INPUTS> = {
  'sim:socket_asked': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:socket_sent': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:socket_joined': tells,
  'sim:way_opened': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:datagram_sent': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:way_closed': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:name_asked': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:socket_opened': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:socket_data': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:socket_taken': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:socket_ended': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:socket_reset': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:socket_accepted': tells,
  'sim:datagram_received': tells,
  'sim:datagram_refused': tells,
  'sim:datagram_accepted': tells,
  'sim:name_found': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
};
