/** From a GSI, an MSI or a hypercall to the controllers. Linux Documentation/virt/kvm/api.rst, KVM_IRQ_LINE. */
import { deliverToApic, physicalId, SHORTHAND_NONE } from './delivery.ts';
import type { IrqEffects } from './effects.ts';
import { scanIoapic, setIoapicIrq } from './ioapic.ts';
import { acceptIrq, DELIVER_REMOTE_READ, isPresent } from './lapic.ts';
import { setPicIrq } from './pic.ts';
import type { GsiRoutingEntry } from './routes.ts';
import { buildRouting } from './routes.ts';
import type { GsiRoute, IrqchipState } from './state.ts';
import { IOAPIC } from './state.ts';

/** KVM_EINVAL as hypercalls return it. */
const HYPERCALL_EINVAL = -22;

/** Deliver a message-signalled interrupt. SDM Vol. 3, 11.11. Returns > 0 delivered, 0 or -1 not. */
export function sendMsi(chip: IrqchipState, addressLow: number, data: number, fx: IrqEffects): number {
  fx.raise({ kind: 'kvm_msi_set_irq', address: BigInt(addressLow >>> 0), data: data >>> 0 });
  return deliverToApic(
    chip,
    -1,
    {
      destination: (addressLow >>> 12) & 0xff,
      logical: (addressLow & 4) !== 0,
      shorthand: SHORTHAND_NONE,
      deliveryMode: data & 0x700,
      vector: data & 0xff,
      level: true,
      trigMode: (data >>> 15) & 1,
      redirHint: (addressLow & 8) !== 0,
    },
    fx,
  );
}

function setRoute(
  chip: IrqchipState,
  route: GsiRoute,
  source: number,
  level: boolean,
  fx: IrqEffects,
  lineStatus: boolean,
): number {
  if (route.type === 'msi') return level ? sendMsi(chip, route.addressLow, route.data, fx) : -1;
  if (route.irqchip === IOAPIC) return setIoapicIrq(chip, route.pin, source, level, fx, lineStatus);
  return setPicIrq(chip, route.pin, source, level, fx);
}

/**
 * Move a GSI's line for one source (KVM_IRQ_LINE, irqfds, the PIT): it goes to every controller it
 * is wired to. `lineStatus`: KVM_IRQ_LINE_STATUS. Returns > 0 delivered, 0 coalesced, -1 ignored.
 */
export function setIrqLine(
  chip: IrqchipState,
  gsi: number,
  source: number,
  level: boolean,
  fx: IrqEffects,
  lineStatus = false,
): number {
  fx.raise({ kind: 'kvm_set_irq', gsi, level: level ? 1 : 0, irq_source_id: source });
  const routes = chip.routing.routes[gsi];
  if (routes === undefined) return -1;
  let result = -1;
  for (let i = 0; i < routes.length; i++) {
    const r = setRoute(chip, routes[i], source, level, fx, lineStatus);
    if (r >= 0) result = r + Math.max(result, 0);
  }
  return result;
}

/** KVM_SET_GSI_ROUTING: replaces the whole table. False: EINVAL, nothing changed. */
export function setGsiRouting(chip: IrqchipState, entries: readonly GsiRoutingEntry[]): boolean {
  const routing = buildRouting(entries);
  if (routing === undefined) return false;
  chip.routing = routing;
  return true;
}

/** Ask for (or give up) `fx.acked(gsi)` at each acknowledgement of a GSI. */
export function setAckNotifier(chip: IrqchipState, gsi: number, wanted: boolean): void {
  chip.ackNotifiers = chip.ackNotifiers.filter((other) => other !== gsi);
  if (wanted) chip.ackNotifiers.push(gsi);
  scanIoapic(chip);
}

/** KVM_HC_KICK_CPU: end the HLT of the vCPU with this APIC id. */
export function kickCpu(chip: IrqchipState, apicId: number, fx: IrqEffects): void {
  const message = {
    destination: apicId,
    logical: false,
    shorthand: SHORTHAND_NONE,
    deliveryMode: DELIVER_REMOTE_READ,
    vector: 0,
    level: false,
    trigMode: 0,
    redirHint: false,
  };
  deliverToApic(chip, -1, message, fx);
}

function sendToBitmap(chip: IrqchipState, bitmap: bigint, min: number, icr: number, fx: IrqEffects): number {
  let delivered = 0;
  for (const l of chip.lapics) {
    const bit = physicalId(l) - min;
    if (!isPresent(l) || bit < 0 || bit > 63 || ((bitmap >> BigInt(bit)) & 1n) === 0n) continue;
    const level = (icr & 0x4000) !== 0;
    delivered += acceptIrq(l, { deliveryMode: icr & 0x700, vector: icr & 0xff, level, trigMode: icr & 0x8000 }, fx);
  }
  return delivered;
}

/** KVM_HC_SEND_IPI: an IPI to the APIC ids `min` + each bit of two bitmaps. Returns how many took it, or -22. */
export function sendPvIpi(
  chip: IrqchipState,
  bitmaps: { readonly low: bigint; readonly high: bigint },
  min: number,
  icr: number,
  longMode: boolean,
  fx: IrqEffects,
): number {
  if ((icr & 0xc0800) !== 0) return HYPERCALL_EINVAL;
  const width = longMode ? 64 : 32;
  const low = sendToBitmap(chip, BigInt.asUintN(width, bitmaps.low), min, icr, fx);
  const next = (min + width) % 0x1_0000_0000;
  return low + sendToBitmap(chip, BigInt.asUintN(width, bitmaps.high), next, icr, fx);
}
