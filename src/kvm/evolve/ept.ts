/** What facts do to EPT. */
import type { Draft } from '../../base/draft.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { REQ_LOAD_MMU_PGD, REQ_TLB_FLUSH } from '../context.ts';
import { nextTable, tablesBelow, tablesOf, walkTo } from '../mmu/ept-tables.ts';
import { addressOf, isLarge, isPresent, smallSpte } from '../mmu/spte.ts';
import type { EptState, KvmState } from '../state.ts';
import { makeAllRequest } from './requests.ts';

/** Level of a page: bits 3:0 of its role. */
const LEVEL = 15;

/** kvm_mmu_get_page: a table is taken from the pool; the root is the one at the top. */
export function tableMade({ ept }: Draft<KvmState>, { role }: EventOf<'kvm_mmu_get_page'>): void {
  const table = nextTable(ept);
  if (ept.free.pop() === undefined) ept.next += 1;
  ept.used += 1;
  ept.tables[table] = {};
  if ((role & LEVEL) === ept.roots.tdp.level) ept.roots.tdp.table = table;
}

/** Tables are given back. */
function release(ept: Draft<EptState>, tables: readonly number[]): void {
  for (const table of tables) {
    delete ept.tables[table];
    ept.free.push(table);
    ept.used -= 1;
  }
}

/** kvm_tdp_mmu_spte_changed. A large entry that becomes a table is split into 512; with a table goes all below it. */
export function entryChanged({ ept }: Draft<KvmState>, event: EventOf<'kvm_tdp_mmu_spte_changed'>): void {
  const { gfn, level, old_spte: old, new_spte: spte } = event;
  const { table, index } = walkTo(ept, ept.roots.tdp, gfn * 4096, level);
  if (level > 1 && isPresent(old) && !isLarge(old)) release(ept, tablesBelow(ept, addressOf(old), level - 1));
  if (level > 1 && isPresent(old) && isLarge(old) && !isLarge(spte)) split(ept, old, addressOf(spte));
  ept.tables[table]![index] = spte;
}

function split(ept: Draft<EptState>, large: bigint, child: number): void {
  const entries: Record<number, bigint> = {};
  for (let index = 0; index < 512; index += 1) entries[index] = smallSpte(large, index);
  ept.tables[child] = entries;
}

/** fast_page_fault. */
export function madeWritable({ ept }: Draft<KvmState>, { sptep, new_spte: spte }: EventOf<'fast_page_fault'>): void {
  const index = (sptep % 4096) / 8;
  ept.tables[sptep - index * 8]![index] = spte;
}

/** kvm_mmu_zap_all_fast. */
export function zapped(kvm: Draft<KvmState>, event: EventOf<'kvm_mmu_zap_all_fast'>, { seq }: Stamped): void {
  const { ept } = kvm;
  kvm.vm!.validGen = event.mmu_valid_gen;
  if (Object.values(ept.roots).every(({ table }) => table === 0)) return;
  for (const root of Object.values(ept.roots)) {
    release(ept, tablesOf(ept, root));
    root.table = 0;
  }
  makeAllRequest(kvm, REQ_LOAD_MMU_PGD | REQ_TLB_FLUSH, seq);
}
