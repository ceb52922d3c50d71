import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../device.ts';
import { pirqOf, resetConfig } from '../pci/index.ts';
import { PIIX3_REGISTERS, type Piix3State, RESET_CONTROL } from './state.ts';

/** The interrupt pin of a PCI function. `pin`: 1 is INTA#. */
export interface SlotLine {
  readonly slot: number;
  readonly pin: number;
  readonly high: boolean;
}

/** sim:irq_line of a PCI function's interrupt pin. */
export function slotDriven(bridge: Draft<Piix3State>, { slot, pin, high }: SlotLine): void {
  const pirq = pirqOf(slot, pin);
  const bit = 1 << slot;
  const before = bridge.asserted[pirq]!;
  bridge.asserted[pirq] = high ? before | bit : before & ~bit;
}

/** What facts do to the ISA bridge. */
export const PIIX3_REDUCER: DeviceReducer<Piix3State> = {
  /** A write that resets leaves the register alone. */
  written(bridge, { value }) {
    if ((value & RESET_CONTROL.reset) === 0) bridge.resetControl = value & RESET_CONTROL.hard;
  },
  reset(bridge) {
    resetConfig(bridge, []);
    for (const [offset, value] of PIIX3_REGISTERS) bridge.config[offset] = value;
    bridge.asserted = [0, 0, 0, 0];
    bridge.resetControl = 0;
  },
};
