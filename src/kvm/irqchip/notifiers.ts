import { ackPit, resetPitReinject } from '../pit.ts';
import type { IrqEffects } from './effects.ts';
import type { IrqchipState } from './state.ts';

/** The GSI the PIT drives. */
const PIT_GSI = 0;

/** The guest acknowledged a pin (EOI): tell the PIT and whoever listens to its GSI. */
export function ackPin(chip: IrqchipState, irqchip: number, pin: number, fx: IrqEffects): void {
  fx.raise({ kind: 'kvm_ack_irq', irqchip, pin });
  const gsi = chip.routing.pinGsi[irqchip][pin];
  if (gsi < 0) return;
  if (gsi === PIT_GSI && chip.pit?.reinject) ackPit(chip.pit, fx.now());
  if (chip.ackNotifiers.includes(gsi)) fx.acked(gsi);
}

/** The guest masked or unmasked a pin: ticks missed while it was masked are not made up for. */
export function maskChanged(chip: IrqchipState, irqchip: number, pin: number, masked: boolean): void {
  if (masked || chip.routing.pinGsi[irqchip][pin] !== PIT_GSI) return;
  if (chip.pit?.reinject) resetPitReinject(chip.pit);
}

/** Whether somebody wants to hear of this IOAPIC pin's EOIs. */
export function hasAckNotifier(chip: IrqchipState, irqchip: number, pin: number): boolean {
  const gsi = chip.routing.pinGsi[irqchip][pin];
  if (gsi < 0) return false;
  return (gsi === PIT_GSI && chip.pit !== undefined && chip.pit.reinject) || chip.ackNotifiers.includes(gsi);
}

/** An unmasked pin with a resampling listener: let it raise the line anew rather than trust the latched level. */
export function resampleOnUnmask(chip: IrqchipState, irqchip: number, pin: number, fx: IrqEffects): boolean {
  const gsi = chip.routing.pinGsi[irqchip][pin];
  if (gsi < 0 || !chip.ackNotifiers.includes(gsi)) return false;
  fx.acked(gsi);
  return true;
}
