import type { E1000_EVENTS } from '../../events/e1000.ts';
import type { Rows } from '../row.ts';

export const E1000_ROWS: Rows<keyof typeof E1000_EVENTS> = {};
