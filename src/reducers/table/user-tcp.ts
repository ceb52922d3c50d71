import type { USER_TCP_EVENTS } from '../../events/user-tcp.ts';
import { deviceFact } from '../../vmm/evolve/devices.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

const OF_ITS_DEVICE = ({ dev }: { readonly dev: string }): string => dev;

export const USER_TCP_ROWS: Rows<keyof typeof USER_TCP_EVENTS> = {
  'sim:tcp_opened': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_established': tells,
  'sim:tcp_received': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_sent': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_retransmitted': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_probed': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_stalled': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_timeout': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_said': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_echoed': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_closed': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:tcp_refused': tells,
  'sim:http_upload': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:http_request': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:call_went_on': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:call_made': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:call_failed': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:link_lost': tells,
  'sim:link_duplicated': tells,
  'sim:link_delayed': tells,
};
