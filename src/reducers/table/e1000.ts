import type { E1000_EVENTS } from '../../events/e1000.ts';
import { ofItsDevice } from './of-device.ts';
import { type Rows, tells } from '../row.ts';

export const E1000_ROWS: Rows<keyof typeof E1000_EVENTS> = {
  e1000x_mac_indicate: tells,
  e1000x_link_negotiation_start: ofItsDevice(),
  e1000x_link_negotiation_done: ofItsDevice(),
  e1000x_rx_link_down: tells,
  e1000x_rx_disabled: tells,
  e1000x_rx_oversized: ofItsDevice(),
  e1000x_rx_flt_ucast_match: tells,
  e1000x_rx_flt_ucast_mismatch: tells,
  e1000x_rx_flt_inexact_mismatch: tells,
  e1000_receiver_overrun: ofItsDevice(),
  'sim:e1000_group_taken': ofItsDevice(),
  'sim:e1000_rx_descriptor': ofItsDevice(),
  'sim:e1000_received': ofItsDevice(),
  'sim:e1000_tx_descriptor': ofItsDevice(),
  'sim:e1000_tx_kept': ofItsDevice(),
  'sim:e1000_transmitted': ofItsDevice(),
  'sim:e1000_looped': ofItsDevice(),
  'sim:e1000_cause': ofItsDevice(),
  'sim:e1000_link': ofItsDevice(),
};
