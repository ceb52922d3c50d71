import type { E1000_EVENTS } from '../../events/e1000.ts';
import { deviceFact } from '../../vmm/evolve/devices.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

const OF_ITS_DEVICE = ({ dev }: { readonly dev: string }): string => dev;

export const E1000_ROWS: Rows<keyof typeof E1000_EVENTS> = {
  e1000x_mac_indicate: tells,
  e1000x_link_negotiation_start: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  e1000x_link_negotiation_done: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  e1000x_rx_link_down: tells,
  e1000x_rx_disabled: tells,
  e1000x_rx_oversized: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  e1000x_rx_flt_ucast_match: tells,
  e1000x_rx_flt_ucast_mismatch: tells,
  e1000x_rx_flt_inexact_mismatch: tells,
  e1000_receiver_overrun: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_group_taken': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_rx_descriptor': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_received': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_tx_descriptor': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_tx_kept': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_transmitted': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_looped': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_cause': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:e1000_link': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
};
