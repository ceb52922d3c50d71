import type { MMU_EVENTS } from '../../events/mmu.ts';
import * as ept from '../../kvm/evolve/ept.ts';
import { changes, kvm, type Rows, tells } from '../row.ts';

export const MMU_ROWS: Rows<keyof typeof MMU_EVENTS> = {
  kvm_mmu_get_page: changes(['ept'], kvm(ept.tableMade)),
  kvm_mmu_spte_requested: tells,
  kvm_mmu_set_spte: tells,
  kvm_tdp_mmu_spte_changed: changes(['ept'], kvm(ept.entryChanged)),
  fast_page_fault: changes(['ept'], kvm(ept.madeWritable)),
  mark_mmio_spte: tells,
  handle_mmio_page_fault: tells,
  check_mmio_spte: tells,
  kvm_mmu_zap_all_fast: changes(['vm', 'ept', 'vcpus'], kvm(ept.zapped)),
  kvm_mmu_split_huge_page: tells,
};
