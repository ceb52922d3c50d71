import { chipOf, type KvmContext } from '../context.ts';
import { deliverMissed } from './pit.ts';
import type { IrqchipState } from './state.ts';

/** The GSI the PIT drives. */
const PIT_GSI = 0;

/** kvm_notify_acked_irq: the guest ended a pin's interrupt; the PIT and whoever listens to its GSI hear of it. */
export function ackPin(kvm: KvmContext, irqchip: number, pin: number): void {
  const { pit, routing, ackNotifiers } = chipOf(kvm);
  const missed = pit?.reinject === true ? pit.pending : 0;
  const acked = kvm.after(kvm.raise({ kind: 'kvm_ack_irq', irqchip, pin }));
  const gsi = routing.pinGsi[irqchip]![pin]!;
  if (gsi < 0) return;
  if (gsi === PIT_GSI) deliverMissed(acked, missed);
  if (ackNotifiers.includes(gsi)) acked.resample(gsi);
}

/** Whether somebody wants to hear of this IOAPIC pin's EOIs. */
export function hasAckNotifier(chip: IrqchipState, irqchip: number, pin: number): boolean {
  const gsi = chip.routing.pinGsi[irqchip]![pin]!;
  if (gsi < 0) return false;
  return (gsi === PIT_GSI && chip.pit !== undefined && chip.pit.reinject) || chip.ackNotifiers.includes(gsi);
}

/** An unmasked pin with a resampling listener: let it raise the line anew rather than trust the latched level. */
export function resampleOnUnmask(kvm: KvmContext, irqchip: number, pin: number): boolean {
  const { routing, ackNotifiers } = chipOf(kvm);
  const gsi = routing.pinGsi[irqchip]![pin]!;
  if (gsi < 0 || !ackNotifiers.includes(gsi)) return false;
  kvm.resample(gsi);
  return true;
}
