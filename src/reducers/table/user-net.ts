import type { USER_NET_EVENTS } from '../../events/user-net.ts';
import type { Rows } from '../row.ts';

export const USER_NET_ROWS: Rows<keyof typeof USER_NET_EVENTS> = {};
