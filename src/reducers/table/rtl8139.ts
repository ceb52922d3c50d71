import type { RTL8139_EVENTS } from '../../events/rtl8139.ts';
import { type Rows, tells } from '../row.ts';
import { ofItsDevice } from './of-device.ts';

export const RTL8139_ROWS: Rows<keyof typeof RTL8139_EVENTS> = {
  'sim:rtl8139_rx_rejected': ofItsDevice(),
  'sim:rtl8139_rx_unplaced': ofItsDevice(),
  'sim:rtl8139_rx_overrun': ofItsDevice(),
  'sim:rtl8139_rx_stored': ofItsDevice(),
  'sim:rtl8139_rx_descriptor': ofItsDevice(),
  'sim:rtl8139_tx_slot': ofItsDevice(),
  'sim:rtl8139_tx_descriptor': ofItsDevice(),
  'sim:rtl8139_tx_kept': ofItsDevice(),
  'sim:rtl8139_transmitted': ofItsDevice(),
  'sim:rtl8139_looped': tells,
  'sim:rtl8139_tally_told': tells,
  'sim:rtl8139_timer_begun': ofItsDevice(),
  'sim:rtl8139_link': ofItsDevice(),
};
