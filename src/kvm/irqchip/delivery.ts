/** Which APICs a message reaches: SDM Vol. 3, 11.6.2, with KVM's quirks. */
import { chipOf, type KvmContext } from '../context.ts';
import { acceptIrq, DELIVER_FIXED, DELIVER_LOWEST, isPresent, isSoftwareEnabled, isX2apic } from './lapic.ts';
import type { IrqchipState, LapicState } from './state.ts';
import { unreachable } from '../../base/invariant.ts';

const DFR_FLAT = 0xffffffff;
const DFR_CLUSTER = 0x0fffffff;
const XAPIC_BROADCAST = 0xff;
const X2APIC_BROADCAST = 0xffffffff;

export const SHORTHAND_NONE = 0;
export const SHORTHAND_SELF = 0x40000;
const SHORTHAND_ALL = 0x80000;
const SHORTHAND_OTHERS = 0xc0000;

/** A message on its way (struct kvm_lapic_irq). */
export interface LapicMessage {
  readonly destination: number;
  readonly logical: boolean;
  readonly shorthand: number;
  readonly deliveryMode: number;
  readonly vector: number;
  readonly level: boolean;
  readonly trigMode: number;
  /** MSI redirection hint: one of the destinations suffices. */
  readonly redirHint: boolean;
}

/** x2APIC logical id: cluster in 31:16, one bit of 15:0. SDM Vol. 3, 11.12.10.2. */
export const x2apicLogicalId = (id: number): number => (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0;

/** The APIC id messages are addressed to. */
export const physicalId = (l: LapicState): number => (isX2apic(l) ? l.vcpu : l.id >>> 24);

function matchesPhysical(l: LapicState, mda: number): boolean {
  if (isX2apic(l) || mda > XAPIC_BROADCAST) return mda === l.vcpu;
  return mda === l.id >>> 24;
}

function matchesLogical(l: LapicState, mda: number): boolean {
  if (isX2apic(l)) return l.ldr >>> 16 === mda >>> 16 && (l.ldr & mda & 0xffff) !== 0;
  const id = l.ldr >>> 24;
  if (l.dfr === DFR_FLAT) return (id & mda) !== 0;
  return l.dfr === DFR_CLUSTER && id >>> 4 === mda >>> 4 && (id & mda & 0xf) !== 0;
}

/** Whether `l` is addressed by a message from vCPU `source` (-1: not an IPI). */
export function matchesDestination(l: LapicState, source: number, m: LapicMessage): boolean {
  switch (m.shorthand) {
    case SHORTHAND_SELF:
      return l.vcpu === source;
    case SHORTHAND_ALL:
      return true;
    case SHORTHAND_OTHERS:
      return l.vcpu !== source;
  }
  const x2apic = isX2apic(l);
  // Quirk: a device's 8-bit broadcast reaches x2APICs too, there being no interrupt remapping.
  const mda = source < 0 && m.destination === XAPIC_BROADCAST && x2apic ? X2APIC_BROADCAST : m.destination;
  if (mda === (x2apic ? X2APIC_BROADCAST : XAPIC_BROADCAST)) return true;
  return m.logical ? matchesLogical(l, mda) : matchesPhysical(l, mda);
}

const isLowest = (m: LapicMessage): boolean => m.deliveryMode === DELIVER_LOWEST || m.redirHint;

/** How all software-enabled APICs agree to be addressed logically. */
type LogicalMode = 'none' | 'flat' | 'cluster' | 'x2apic' | 'mixed';

function modeOf(l: LapicState): LogicalMode {
  if (isX2apic(l)) return 'x2apic';
  return l.dfr === DFR_FLAT ? 'flat' : 'cluster';
}

/** KVM's optimised logical map holds only when modes agree and each xAPIC has one bit of its own. */
function logicalMode(lapics: readonly LapicState[]): LogicalMode {
  let mode: LogicalMode = 'none';
  for (const l of lapics) {
    if (!isPresent(l) || !isSoftwareEnabled(l) || l.ldr === 0) continue;
    const own = modeOf(l);
    if (mode === 'none') mode = own;
    else if (mode !== own) return 'mixed';
    if (own === 'x2apic') continue;
    const id = l.ldr >>> 24;
    const bits = own === 'flat' ? id : id & 0xf;
    if (bits === 0) continue;
    if ((bits & (bits - 1)) !== 0 || sharesLogicalId(lapics, l)) return 'mixed';
  }
  return mode;
}

function sharesLogicalId(lapics: readonly LapicState[], l: LapicState): boolean {
  return lapics.some(
    (other) => other.vcpu < l.vcpu && isPresent(other) && isSoftwareEnabled(other) && other.ldr >>> 24 === l.ldr >>> 24,
  );
}

/** The `n`th (from 0) bit set in `mask`. */
function nthBit(mask: number, n: number): number {
  let bit = 0;
  for (let left = n; ; bit++) {
    if ((mask & (1 << bit)) === 0) continue;
    if (left-- === 0) return bit;
  }
}

const bitCount = (mask: number): number => {
  let n = 0;
  for (let m = mask; m !== 0; m &= m - 1) n++;
  return n;
};

/** Logical destination bits within the addressed cluster. */
function clusterMask(chip: IrqchipState, mode: LogicalMode, destination: number): number {
  switch (mode) {
    case 'flat':
      return destination & 0xff;
    case 'cluster':
      return destination & 0xf;
    case 'x2apic': {
      const first = (destination >>> 16) * 16;
      const size = Math.min(256 - first, 16);
      return first > 255 || chip.lapics.length === 0 ? 0 : destination & (0xffff >>> (16 - size));
    }
    case 'none':
    case 'mixed':
      return 0;
    default:
      return unreachable(mode);
  }
}

/** The APIC that stands for one bit of a cluster in the optimised map. */
function clusterMember(
  chip: IrqchipState,
  mode: LogicalMode,
  destination: number,
  bit: number,
): LapicState | undefined {
  if (mode === 'x2apic') {
    const id = (destination >>> 16) * 16 + bit;
    return chip.lapics.find((l) => isPresent(l) && physicalId(l) === id);
  }
  const id = mode === 'flat' ? 1 << bit : ((destination & 0xf0) | (1 << bit)) & 0xff;
  return chip.lapics.find((l) => isPresent(l) && isSoftwareEnabled(l) && l.ldr >>> 24 === id);
}

function deliverLogical(kvm: KvmContext, mode: LogicalMode, m: LapicMessage, rtc: boolean): number {
  const chip = chipOf(kvm);
  let mask = clusterMask(chip, mode, m.destination);
  // Lowest priority is settled by vector hashing: the same vector always goes to the same bit.
  if (isLowest(m) && mask !== 0) mask = 1 << nthBit(mask, m.vector % bitCount(mask));
  let delivered = 0;
  for (let bit = 0; bit < 16; bit++) {
    if ((mask & (1 << bit)) === 0) continue;
    const l = clusterMember(chip, mode, m.destination, bit);
    if (l !== undefined) delivered += acceptIrq(kvm, l, m, rtc);
  }
  return delivered;
}

/** Ask every APIC in turn, as KVM does for broadcasts, shorthands and addresses its map cannot hold. */
function deliverByMatch(kvm: KvmContext, source: number, message: LapicMessage, rtc: boolean): number {
  const { lapics } = chipOf(kvm);
  const toAll = !message.logical && message.destination === XAPIC_BROADCAST && isLowest(message);
  const m = toAll ? { ...message, deliveryMode: DELIVER_FIXED } : message;
  const lowest = isLowest(m);
  let result = -1;
  let candidates = 0;
  for (const l of lapics) {
    if (!isPresent(l) || !matchesDestination(l, source, m)) continue;
    if (!lowest) result = Math.max(result, 0) + acceptIrq(kvm, l, m, rtc);
    else if (isSoftwareEnabled(l)) candidates |= 1 << l.vcpu;
  }
  if (candidates === 0) return result;
  return acceptIrq(kvm, lapics[nthBit(candidates, m.vector % bitCount(candidates))]!, m, rtc);
}

/** Whether KVM's map of local APICs says at once who takes a device's message (kvm_irq_delivery_to_apic_fast). */
export function isInMap(kvm: KvmContext, m: LapicMessage): boolean {
  if (m.shorthand !== SHORTHAND_NONE || m.destination === XAPIC_BROADCAST) return false;
  return !m.logical || logicalMode(chipOf(kvm).lapics) !== 'mixed';
}

/**
 * Deliver a message from vCPU `source` (-1: IOAPIC or MSI). `rtc`: the EOI of whoever takes it is waited for.
 * Returns how many APICs took it, 0 when none did, -1 when nobody was addressed.
 */
export function deliverToApic(kvm: KvmContext, source: number, m: LapicMessage, rtc = false): number {
  const { lapics } = chipOf(kvm);
  if (m.shorthand === SHORTHAND_SELF && source >= 0) return acceptIrq(kvm, lapics[source]!, m, rtc);
  const x2apicIpi = source >= 0 && isX2apic(lapics[source]!);
  const broadcast = m.destination === (x2apicIpi ? X2APIC_BROADCAST : XAPIC_BROADCAST);
  if (m.shorthand !== SHORTHAND_NONE || broadcast) return deliverByMatch(kvm, source, m, rtc);
  if (!m.logical) {
    let delivered = 0;
    for (const l of lapics) {
      if (isPresent(l) && matchesPhysical(l, m.destination)) delivered += acceptIrq(kvm, l, m, rtc);
    }
    return delivered;
  }
  const mode = logicalMode(lapics);
  if (mode === 'mixed') return deliverByMatch(kvm, source, m, rtc);
  return deliverLogical(kvm, mode, m, rtc);
}
