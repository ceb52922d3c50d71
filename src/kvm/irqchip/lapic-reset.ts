/** Power-on, INIT and IA32_APIC_BASE: SDM Vol. 3, 11.4.3-11.4.7 and 11.12.5. */
import { x2apicLogicalId } from './delivery.ts';
import type { IrqEffects } from './effects.ts';
import { scanIoapic } from './ioapic.ts';
import { APIC_BASE_BSP, APIC_BASE_ENABLE, APIC_BASE_EXTD, isX2apic, LVT_LINT0, LVT_MASKED } from './lapic.ts';
import { deliverExpiredTimer, updateDivide, updateTimerMode } from './lapic-timer.ts';
import type { IrqchipState, LapicFeatures, LapicState } from './state.ts';

const DEFAULT_BASE = 0xfee00000;
const EXTINT_UNMASKED = 0x700;
const MODE = APIC_BASE_ENABLE | APIC_BASE_EXTD;

/** New APIC base, with the ids that go with a change of mode. */
function setBase(l: LapicState, value: number): void {
  const changed = l.apicBase ^ value;
  l.apicBase = value;
  const enabled = (value & APIC_BASE_ENABLE) !== 0;
  if ((changed & APIC_BASE_ENABLE) !== 0 && enabled) l.id = (l.vcpu << 24) >>> 0;
  if ((changed & APIC_BASE_EXTD) === 0) return;
  if (isX2apic(l)) {
    l.id = l.vcpu;
    l.ldr = x2apicLogicalId(l.vcpu);
  } else if (enabled) {
    l.id = (l.vcpu << 24) >>> 0;
  }
}

/** Put a LAPIC in its RESET or (`init`) INIT state. The BSP's LINT0 comes up as ExtINT, as KVM's quirk has it. */
export function resetLapic(chip: IrqchipState, vcpu: number, init: boolean): void {
  const l = chip.lapics[vcpu];
  const isBsp = vcpu === 0;
  if (!init) setBase(l, DEFAULT_BASE + APIC_BASE_ENABLE + (isBsp ? APIC_BASE_BSP : 0));
  l.timer.expiresAt = undefined;
  if (!init) l.id = (vcpu << 24) >>> 0;
  l.lvt.fill(LVT_MASKED);
  updateTimerMode(l);
  if (isBsp) l.lvt[LVT_LINT0] = EXTINT_UNMASKED;
  l.dfr = 0xffffffff;
  l.svr = 0xff;
  l.tpr = 0;
  if (!isX2apic(l)) l.ldr = 0;
  l.icrLow = 0;
  l.icrHigh = 0;
  l.divideConfig = 0;
  l.initialCount = 0;
  for (const words of [l.irr, l.isr, l.tmr]) words.fill(0);
  l.isrCache = -1;
  updateDivide(l);
  l.timer.pending = false;
  scanIoapic(chip);
}

/** IA32_APIC_BASE. */
export function apicBaseRead(chip: IrqchipState, vcpu: number): bigint {
  return BigInt(chip.lapics[vcpu].apicBase);
}

/** Transitions the processor refuses. SDM Vol. 3, Figure 11-27. */
function isIllegal(from: number, to: number): boolean {
  const [oldMode, newMode] = [from & MODE, to & MODE];
  if (newMode === APIC_BASE_EXTD) return true;
  return (oldMode === MODE && newMode === APIC_BASE_ENABLE) || (oldMode === 0 && newMode === MODE);
}

/** Write IA32_APIC_BASE. False: #GP. `host`: user space, which may make any transition. */
export function apicBaseWrite(chip: IrqchipState, vcpu: number, value: bigint, fx: IrqEffects, host = false): boolean {
  const l = chip.lapics[vcpu];
  const { x2apic, physicalBits } = l.features;
  if (value === BigInt(l.apicBase)) return true;
  if (value >> BigInt(physicalBits) !== 0n) return false;
  const base = Number(value);
  if ((base & 0x2ff) !== 0 || (!x2apic && (base & APIC_BASE_EXTD) !== 0)) return false;
  if ((base & MODE) === APIC_BASE_EXTD || (!host && isIllegal(l.apicBase, base))) return false;
  setBase(l, base);
  scanIoapic(chip);
  deliverExpiredTimer(l, fx);
  return true;
}

/** What KVM_SET_CPUID2 promised the guest. */
export function setLapicFeatures(chip: IrqchipState, vcpu: number, features: LapicFeatures): void {
  chip.lapics[vcpu].features = { ...features };
}
