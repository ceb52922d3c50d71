import type { PciFunction } from '../pci/index.ts';
import { routesWritten, writeResetControl } from './decide.ts';
import { PIRQ_ROUTE, type Piix3State } from './state.ts';
import type { Driver } from '../driver.ts';
import { PIIX3_REDUCER } from './evolve.ts';
import { piix3AtReset } from './state.ts';

export { routeSlot } from './decide.ts';
export { PIIX3_REDUCER, type SlotLine, slotDriven } from './evolve.ts';
export { isPirqAsserted, type Piix3State, piix3AtReset } from './state.ts';

/** ISA bridge of the `pc` machine (8086:7000), at 00:01.0. PCI interrupts come in by `slotDriven` and `routeSlot`. */
export const piix3: PciFunction<Piix3State> = {
  model: 'PIIX3',
  regions: [
    { name: 'piix3-reset-control', space: 'io', base: 0xcf9, length: 1, priority: 1, minAccess: 1, maxAccess: 1 },
  ],
  pins: Array.from({ length: 16 }, (_, irq) => `irq${irq}`),
  bars: [],
  read: (bridge) => bridge.resetControl,
  write: (_bridge, _region, _offset, _size, value, effects) => writeResetControl(value, effects),
  configWritten: (bridge, offset, size, effects) => {
    if (offset < PIRQ_ROUTE + 4 && offset + size > PIRQ_ROUTE) routesWritten(bridge, effects);
  },
  describe: (bridge) => ({
    routes: [0, 1, 2, 3].map((pirq) => `${'ABCD'[pirq]}:${route(bridge.config[PIRQ_ROUTE + pirq]!)}`).join(' '),
    asserted: bridge.asserted.map((slots) => (slots === 0 ? '-' : slots.toString(2))).join(' '),
  }),
};

const route = (value: number): string => (value < 16 ? `irq${value}` : 'off');

/** On the board of every `pc`. */
export const driver: Driver<Piix3State, object> = {
  name: 'PIIX3',
  description: 'ISA bridge',
  bus: 'PCI',
  category: 'Controller/Bridge/Hub',
  create: () => piix3,
  atReset: piix3AtReset,
  reducer: PIIX3_REDUCER,
};
