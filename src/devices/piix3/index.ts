import { type PciFunction, resetConfig } from '../pci/index.ts';
import { PIIX3_REGISTERS, PIRQ_ROUTE, type Piix3State } from './state.ts';
import { routesWritten, writeResetControl } from './transition.ts';

export { type Piix3State, piix3AtReset } from './state.ts';
export { driveSlot } from './transition.ts';

/** ISA bridge of the `pc` machine (8086:7000), at 00:01.0. PCI interrupts come in through `driveSlot`. */
export const piix3: PciFunction<Piix3State> = {
  model: 'PIIX3',
  regions: [
    { name: 'piix3-reset-control', space: 'io', base: 0xcf9, length: 1, priority: 1, minAccess: 1, maxAccess: 1 },
  ],
  pins: Array.from({ length: 16 }, (_, irq) => `irq${irq}`),
  bars: [],
  read: (bridge) => bridge.resetControl,
  write: (bridge, _region, _offset, _size, value, effects) => writeResetControl(bridge, value, effects),
  configWritten: (bridge, offset, size, effects) => {
    if (offset < PIRQ_ROUTE + 4 && offset + size > PIRQ_ROUTE) routesWritten(bridge, effects);
  },
  reset: (bridge) => {
    resetConfig(piix3, bridge);
    for (const [offset, value] of PIIX3_REGISTERS) bridge.config[offset] = value;
    bridge.asserted = [0, 0, 0, 0];
    bridge.resetControl = 0;
  },
  describe: (bridge) => ({
    routes: [0, 1, 2, 3].map((pirq) => `${'ABCD'[pirq]}:${route(bridge.config[PIRQ_ROUTE + pirq]!)}`).join(' '),
    asserted: bridge.asserted.map((slots) => (slots === 0 ? '-' : slots.toString(2))).join(' '),
  }),
};

const route = (value: number): string => (value < 16 ? `irq${value}` : 'off');
