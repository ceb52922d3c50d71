import type { DIRTY_FACTS, DIRTY_INPUTS } from '../../events/dirty.ts';
import * as dirty from '../../vmm/evolve/dirty.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

export const DIRTY_ROWS: Rows<keyof typeof DIRTY_FACTS | keyof typeof DIRTY_INPUTS> = {
  global_dirty_changed: changes(['dirty'], vmm(dirty.trackingChanged)),
  memory_region_sync_dirty: tells,
  kvm_clear_dirty_log: tells,
  dirtyrate_set_state: changes(['dirty'], vmm(dirty.statusSet)),
  dirtyrate_calculate: changes(['dirty'], vmm(dirty.rateKnown)),
  'sim:dirty_pages': changes(['dirty', 'net'], vmm(dirty.pagesFound)),
  'sim:dirty_rate_waits': changes(['dirty'], vmm(dirty.waits)),
  'sim:dirty_rate_asked': changes(['dirty'], vmm(dirty.asked)),
};
