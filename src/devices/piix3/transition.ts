import type { Effects } from '../device.ts';
import { pirqOf } from '../pci/index.ts';
import { PIRQ_ROUTE, type Piix3State } from './state.ts';

/** The interrupt pin of a PCI function moved. `pin`: 1 is INTA#. */
export function driveSlot(
  bridge: Piix3State,
  line: { readonly slot: number; readonly pin: number; readonly high: boolean },
  effects: Effects,
): void {
  const pirq = pirqOf(line.slot, line.pin);
  const bit = 1 << line.slot;
  const before = bridge.asserted[pirq]!;
  const after = line.high ? before | bit : before & ~bit;
  bridge.asserted[pirq] = after;
  if ((before !== 0) !== (after !== 0)) driveRoute(bridge, pirq, effects);
}

/** New routes take effect at once; every ISA line is driven with what it carries now. */
export function routesWritten(bridge: Piix3State, effects: Effects): void {
  for (let pirq = 0; pirq < 4; pirq++) driveRoute(bridge, pirq, effects);
  for (let irq = 0; irq < 16; irq++) effects.pin(`irq${irq}`, lineLevel(bridge, irq));
}

/** Port 0xcf9. 82371SB data sheet, 2.5.6: bit 2 resets, bit 1 says how hard. */
export function writeResetControl(bridge: Piix3State, value: number, effects: Effects): void {
  if (value & 4) effects.ask({ ask: 'reset' });
  else bridge.resetControl = value & 2;
}

function driveRoute(bridge: Piix3State, pirq: number, effects: Effects): void {
  const irq = bridge.config[PIRQ_ROUTE + pirq]!;
  if (irq < 16) effects.pin(`irq${irq}`, lineLevel(bridge, irq));
}

function lineLevel(bridge: Piix3State, irq: number): boolean {
  return bridge.asserted.some((slots, pirq) => slots !== 0 && bridge.config[PIRQ_ROUTE + pirq] === irq);
}
