/** From a GSI, an MSI or a hypercall to the controllers. Linux Documentation/virt/kvm/api.rst, KVM_IRQ_LINE. */
import { chipOf, type KvmContext } from '../context.ts';
import { deliverToApic, isInMap, type LapicMessage, physicalId, SHORTHAND_NONE } from './delivery.ts';
import { setIoapicIrq } from './ioapic.ts';
import { acceptIrq, DELIVER_REMOTE_READ, isPresent } from './lapic.ts';
import { setPicIrq } from './pic.ts';
import { type GsiRoute, IOAPIC, USERSPACE_SOURCE } from './state.ts';

/** KVM_EINVAL as hypercalls return it. */
const HYPERCALL_EINVAL = -22;

/** Deliver a message-signalled interrupt. SDM Vol. 3, 11.11. Returns > 0 delivered, 0 or -1 not. */
export function sendMsi(kvm: KvmContext, addressLow: number, data: number): number {
  return deliverToApic(tellMsi(kvm, addressLow, data), -1, messageOf(addressLow, data));
}

/** The same from a context that cannot wait (kvm_arch_set_irq_inatomic). False: it has to be done elsewhere. */
function sendMsiAtOnce(kvm: KvmContext, addressLow: number, data: number): boolean {
  const told = tellMsi(kvm, addressLow, data);
  const message = messageOf(addressLow, data);
  if (!isInMap(kvm, message)) return false;
  deliverToApic(told, -1, message);
  return true;
}

const tellMsi = (kvm: KvmContext, addressLow: number, data: number): KvmContext =>
  kvm.after(kvm.raise({ kind: 'kvm_msi_set_irq', address: BigInt(addressLow >>> 0), data: data >>> 0 }));

const messageOf = (addressLow: number, data: number): LapicMessage => ({
  destination: (addressLow >>> 12) & 0xff,
  logical: (addressLow & 4) !== 0,
  shorthand: SHORTHAND_NONE,
  deliveryMode: data & 0x700,
  vector: data & 0xff,
  level: true,
  trigMode: (data >>> 15) & 1,
  redirHint: (addressLow & 8) !== 0,
});

/**
 * An irqfd without resampling was signalled: a GSI that is a message goes straight to the local APICs (irqfd_wakeup);
 * all others, and a message that asks each of them, are an edge of the line (irqfd_inject).
 */
export function pulseGsi(kvm: KvmContext, gsi: number): void {
  const routes = chipOf(kvm).routing.routes[gsi] ?? [];
  const [route] = routes;
  if (routes.length === 1 && route?.type === 'msi' && sendMsiAtOnce(kvm, route.addressLow, route.data)) return;
  setIrqLine(kvm, gsi, USERSPACE_SOURCE, true);
  setIrqLine(kvm, gsi, USERSPACE_SOURCE, false);
}

function setRoute(kvm: KvmContext, route: GsiRoute, level: boolean, lineStatus: boolean): number {
  if (route.type === 'msi') return level ? sendMsi(kvm, route.addressLow, route.data) : -1;
  return route.irqchip === IOAPIC ? setIoapicIrq(kvm, route.pin, lineStatus) : setPicIrq(kvm, route.pin);
}

/**
 * Move a GSI's line for one source (KVM_IRQ_LINE, irqfds, the PIT): it goes to every controller it
 * is wired to. `lineStatus`: KVM_IRQ_LINE_STATUS. Returns > 0 delivered, 0 coalesced, -1 ignored.
 */
export function setIrqLine(kvm: KvmContext, gsi: number, source: number, level: boolean, lineStatus = false): number {
  const seq = kvm.raise({ kind: 'kvm_set_irq', gsi, level: level ? 1 : 0, irq_source_id: source });
  const routes = chipOf(kvm).routing.routes[gsi];
  if (routes === undefined) return -1;
  const moved = kvm.after(seq);
  let result = -1;
  for (let i = 0; i < routes.length; i++) {
    const r = setRoute(moved, routes[i]!, level, lineStatus);
    if (r >= 0) result = r + Math.max(result, 0);
  }
  return result;
}

/** KVM_HC_KICK_CPU: end the HLT of the vCPU with this APIC id. */
export function kickCpu(kvm: KvmContext, apicId: number): void {
  deliverToApic(kvm, -1, {
    destination: apicId,
    logical: false,
    shorthand: SHORTHAND_NONE,
    deliveryMode: DELIVER_REMOTE_READ,
    vector: 0,
    level: false,
    trigMode: 0,
    redirHint: false,
  });
}

function sendToBitmap(kvm: KvmContext, bitmap: bigint, min: number, icr: number): number {
  let delivered = 0;
  for (const l of chipOf(kvm).lapics) {
    const bit = physicalId(l) - min;
    if (!isPresent(l) || bit < 0 || bit > 63 || ((bitmap >> BigInt(bit)) & 1n) === 0n) continue;
    const level = (icr & 0x4000) !== 0;
    delivered += acceptIrq(kvm, l, { deliveryMode: icr & 0x700, vector: icr & 0xff, level, trigMode: icr & 0x8000 });
  }
  return delivered;
}

/** KVM_HC_SEND_IPI: an IPI to the APIC ids `min` + each bit of two bitmaps. Returns how many took it, or -22. */
export function sendPvIpi(
  kvm: KvmContext,
  bitmaps: { readonly low: bigint; readonly high: bigint },
  min: number,
  icr: number,
  longMode: boolean,
): number {
  if ((icr & 0xc0800) !== 0) return HYPERCALL_EINVAL;
  const width = longMode ? 64 : 32;
  const low = sendToBitmap(kvm, BigInt.asUintN(width, bitmaps.low), min, icr);
  const next = (min + width) % 0x1_0000_0000;
  return low + sendToBitmap(kvm, BigInt.asUintN(width, bitmaps.high), next, icr);
}
