import type { USER_TCP_EVENTS } from '../../events/user-tcp.ts';
import { ofItsDevice } from './of-device.ts';
import { type Rows, tells } from '../row.ts';

export const USER_TCP_ROWS: Rows<keyof typeof USER_TCP_EVENTS> = {
  'sim:tcp_opened': ofItsDevice(),
  'sim:tcp_established': tells,
  'sim:tcp_received': ofItsDevice(),
  'sim:tcp_sent': ofItsDevice(),
  'sim:tcp_retransmitted': ofItsDevice(),
  'sim:tcp_probed': ofItsDevice(),
  'sim:tcp_stalled': ofItsDevice(),
  'sim:tcp_timeout': ofItsDevice(),
  'sim:tcp_said': ofItsDevice(),
  'sim:tcp_echoed': ofItsDevice(),
  'sim:tcp_closed': ofItsDevice(),
  'sim:tcp_refused': tells,
  'sim:http_upload': ofItsDevice(),
  'sim:http_request': ofItsDevice(),
  'sim:ssh_heard': ofItsDevice(),
  'sim:ssh_keyed': ofItsDevice(),
  'sim:ssh_said': ofItsDevice(),
  'sim:ssh_ran': ofItsDevice(),
  'sim:call_went_on': ofItsDevice(),
  'sim:call_made': ofItsDevice(),
  'sim:call_failed': ofItsDevice(),
  'sim:link_lost': tells,
  'sim:link_duplicated': tells,
  'sim:link_delayed': tells,
};
