import type { Effects } from '../device.ts';
import { isPirqAsserted, PIRQ_ROUTE, type Piix3State, RESET_CONTROL } from './state.ts';

/** The interrupt pin of a PCI function moved. `before`: whether its PIRQ was asserted until then. */
export function routeSlot(bridge: Piix3State, pirq: number, before: boolean, effects: Effects): void {
  if (isPirqAsserted(bridge, pirq) !== before) driveRoute(bridge, pirq, effects);
}

/** New routes take effect at once; every ISA line is driven with what it carries now. */
export function routesWritten(bridge: Piix3State, effects: Effects): void {
  for (let pirq = 0; pirq < 4; pirq++) driveRoute(bridge, pirq, effects);
  for (let irq = 0; irq < 16; irq++) effects.pin(`irq${irq}`, lineLevel(bridge, irq));
}

/** Port 0xcf9. 82371SB data sheet, 2.5.6: bit 2 resets, bit 1 says how hard. */
export function writeResetControl(value: number, effects: Effects): void {
  effects.commit();
  if (value & RESET_CONTROL.reset) effects.requestReset();
}

function driveRoute(bridge: Piix3State, pirq: number, effects: Effects): void {
  const irq = bridge.config[PIRQ_ROUTE + pirq]!;
  if (irq < 16) effects.pin(`irq${irq}`, lineLevel(bridge, irq));
}

function lineLevel(bridge: Piix3State, irq: number): boolean {
  return bridge.asserted.some((slots, pirq) => slots !== 0 && bridge.config[PIRQ_ROUTE + pirq] === irq);
}
