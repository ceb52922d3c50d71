import type { Gfn } from '../base/units.ts';
import { fact, hex } from './schema.ts';
import { padded, pageFaultBits } from './symbols.ts';

const SHADOW_PAGE = { mmu_valid_gen: 'u', gfn: 'u', role: 'u', root_count: 'u', unsync: 'bool' } as const;

interface ShadowPage {
  readonly mmu_valid_gen: number;
  readonly gfn: Gfn;
  readonly role: number;
  readonly root_count: number;
  readonly unsync: boolean;
}

const ACCESS = ['---', '--x', 'w--', 'w-x', '-u-', '-ux', 'wu-', 'wux'];

/**
 * A page of EPT or shadow page table. Bits of `role`: level 3:0, 4-byte guest entries 4, quadrant 6:5, direct 7,
 * access 10:8, invalid 11, EFER.NX 12, CR0.WP 13, accessed/dirty disabled 16. Linux union kvm_mmu_page_role.
 */
function printPage(e: ShadowPage): string {
  const { role } = e;
  const kind = `l${role & 15} ${role & 0x10 ? 4 : 8}-byte q${(role >> 5) & 3}${role & 0x80 ? ' direct' : ''}`;
  const access = `${ACCESS[(role >> 8) & 7]}${role & 0x800 ? ' invalid' : ''}`;
  const modes = `${role & 0x1000 ? '' : '!'}nxe ${role & 0x10000 ? '!' : ''}ad`;
  const use = `root ${e.root_count} ${e.unsync ? 'unsync' : 'sync'}`;
  return `sp gen ${e.mmu_valid_gen} gfn ${hex(e.gfn)} ${kind} ${access} ${modes} ${use}`;
}

const RET_PF_FIXED = 5;
const RET_PF_SPURIOUS = 6;

/** The `kvmmmu` tracepoints of Linux 6.18 with their fields in order. Addresses of entries are host-physical. */
export const MMU_EVENTS = {
  kvm_mmu_get_page: fact(
    { ...SHADOW_PAGE, created: 'bool' },
    (e) => `${printPage(e)} ${e.created ? 'new' : 'existing'}`,
  ),
  kvm_mmu_spte_requested: fact(
    { gfn: 'u', pfn: 'u', level: 'u' },
    (e) => `gfn ${hex(e.gfn)} pfn ${hex(e.pfn)} level ${e.level}`,
  ),
  /** u: -1 where the entry's format has no user bit (EPT). */
  kvm_mmu_set_spte: fact({ gfn: 'u', spte: 'u64', sptep: 'u', level: 'u', r: 'bool', x: 'bool', u: 'i' }, (e) => {
    const user = e.u === -1 ? '' : e.u ? 'u' : '-';
    const access = `${e.r ? 'r' : '-'}${e.spte & 2n ? 'w' : '-'}${e.x ? 'x' : '-'}${user}`;
    return `gfn ${hex(e.gfn)} spte ${hex(e.spte)} (${access}) level ${e.level} at ${hex(e.sptep)}`;
  }),
  kvm_tdp_mmu_spte_changed: fact(
    { gfn: 'u', old_spte: 'u64', new_spte: 'u64', level: 'u', as_id: 'u' },
    (e) =>
      `as id ${e.as_id} gfn ${hex(e.gfn)} level ${e.level} old_spte ${hex(e.old_spte)} new_spte ${hex(e.new_spte)}`,
  ),
  fast_page_fault: fact(
    {
      vcpu_id: 'u',
      cr2_or_gpa: 'u64',
      error_code: 'u',
      sptep: 'u',
      old_spte: 'u64',
      new_spte: 'u64',
      ret: 'i',
    },
    (e) =>
      `vcpu ${e.vcpu_id} gva ${hex(e.cr2_or_gpa)} error_code ${pageFaultBits(e.error_code)} ` +
      `sptep ${padded(e.sptep, 16)} old ${e.old_spte === 0n ? '0' : `0x${hex(e.old_spte)}`} new ${hex(e.new_spte)} ` +
      `spurious ${Number(e.ret === RET_PF_SPURIOUS)} fixed ${Number(e.ret === RET_PF_FIXED)}`,
  ),
  mark_mmio_spte: fact(
    { sptep: 'u', gfn: 'u', access: 'u', gen: 'u' },
    (e) => `sptep:${padded(e.sptep, 16)} gfn ${hex(e.gfn)} access ${hex(e.access)} gen ${hex(e.gen)}`,
  ),
  handle_mmio_page_fault: fact(
    { addr: 'u64', gfn: 'u', access: 'u' },
    (e) => `addr:${hex(e.addr)} gfn ${hex(e.gfn)} access ${hex(e.access)}`,
  ),
  check_mmio_spte: fact(
    { kvm_gen: 'u', spte_gen: 'u', spte: 'u64' },
    (e) =>
      `spte ${hex(e.spte)} kvm_gen ${hex(e.kvm_gen)} spte-gen ${hex(e.spte_gen)} ` +
      `valid ${Number(e.kvm_gen === e.spte_gen)}`,
  ),
  kvm_mmu_zap_all_fast: fact(
    { mmu_valid_gen: 'u', mmu_used_pages: 'u' },
    (e) => `kvm-mmu-valid-gen ${e.mmu_valid_gen} used_pages ${hex(e.mmu_used_pages)}`,
  ),
  kvm_mmu_split_huge_page: fact(
    { gfn: 'u', spte: 'u64', level: 'u', errno: 'i' },
    (e) => `gfn ${hex(e.gfn)} spte ${hex(e.spte)} level ${e.level} errno ${e.errno}`,
  ),
} as const;
