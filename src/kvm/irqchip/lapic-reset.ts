/** IA32_APIC_BASE: SDM Vol. 3, 11.4.3-11.4.4 and 11.12.5. */
import { lapicOf, type KvmContext } from '../context.ts';
import { APIC_BASE_ENABLE, APIC_BASE_EXTD } from './lapic.ts';
import { deliverExpiredTimer } from './lapic-timer.ts';

const MODE = APIC_BASE_ENABLE | APIC_BASE_EXTD;

/** Transitions the processor refuses. SDM Vol. 3, Figure 11-27. */
function isIllegal(from: number, to: number): boolean {
  const [oldMode, newMode] = [from & MODE, to & MODE];
  if (newMode === APIC_BASE_EXTD) return true;
  return (oldMode === MODE && newMode === APIC_BASE_ENABLE) || (oldMode === 0 && newMode === MODE);
}

/** Write IA32_APIC_BASE. False: #GP. `host`: user space, which may make any transition. */
export function apicBaseWrite(kvm: KvmContext, vcpu: number, value: bigint, host = false): boolean {
  const { apicBase, features } = lapicOf(kvm, vcpu);
  const { x2apic, physicalBits } = features;
  if (value === BigInt(apicBase)) return true;
  if (value >> BigInt(physicalBits) !== 0n) return false;
  const base = Number(value);
  if ((base & 0x2ff) !== 0 || (!x2apic && (base & APIC_BASE_EXTD) !== 0)) return false;
  if ((base & MODE) === APIC_BASE_EXTD || (!host && isIllegal(apicBase, base))) return false;
  kvm.raise({ kind: 'sim:apic_base', vcpu_id: vcpu, value: base });
  deliverExpiredTimer(kvm, vcpu);
  return true;
}
