import type { USER_LIVE_FACTS, USER_LIVE_INPUTS } from '../../events/user-live.ts';
import { ofItsDevice } from './of-device.ts';
import { type Rows, tells } from '../row.ts';

export const USER_LIVE_ROWS: Rows<keyof typeof USER_LIVE_FACTS | keyof typeof USER_LIVE_INPUTS> = {
  'sim:socket_asked': ofItsDevice(),
  'sim:socket_sent': ofItsDevice(),
  'sim:socket_joined': tells,
  'sim:way_opened': ofItsDevice(),
  'sim:datagram_sent': ofItsDevice(),
  'sim:way_closed': ofItsDevice(),
  'sim:name_asked': ofItsDevice(),
  'sim:socket_opened': ofItsDevice(),
  'sim:socket_data': ofItsDevice(),
  'sim:socket_taken': ofItsDevice(),
  'sim:socket_ended': ofItsDevice(),
  'sim:socket_reset': ofItsDevice(),
  'sim:socket_accepted': tells,
  'sim:datagram_received': tells,
  'sim:datagram_refused': tells,
  'sim:datagram_accepted': tells,
  'sim:name_found': ofItsDevice(),
};
