import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';

/** System control port A. */
export interface Port92State {
  readonly value: number;
}

/** A20 gate and fast reset both off. */
export function port92AtReset(): Port92State {
  return { value: 0 };
}

/** PS/2 system control port A: bit 1 is the A20 gate, a rising bit 0 resets. 82371SB data sheet, 2.5.5. */
export const port92: Device<Port92State> = {
  model: 'port 92',
  regions: [{ name: 'port92', space: 'io', base: 0x92, length: 1, minAccess: 1, maxAccess: 1 }],
  pins: ['a20'],
  read: (port) => port.value,
  write: (port, _region, _offset, _size, value, effects) => {
    const risen = value & ~port.value;
    effects.commit();
    effects.pin('a20', (value & 2) !== 0);
    if (risen & 1) effects.requestReset();
  },
  describe: (port) => ({ a20: port.value & 2 ? 'open' : 'masked' }),
};

/** The register takes what is written; a reset leaves the A20 gate. */
export const PORT92_REDUCER: DeviceReducer<Port92State> = {
  written(port, { value }) {
    port.value = value;
  },
  reset(port) {
    port.value &= ~1;
  },
};

/** On the board of every `pc`. */
export const driver: Driver<Port92State, object> = {
  name: 'port92',
  description: 'System control port A',
  bus: 'ISA',
  category: 'Misc',
  create: () => port92,
  atReset: port92AtReset,
  reducer: PORT92_REDUCER,
};
