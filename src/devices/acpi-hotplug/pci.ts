import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';

/** PCI hot-plug registers at 0xae00. */
export interface PciHotplugState {
  readonly bus: number;
}

/** Bus 0. */
const pciHotplugAtReset = (): PciHotplugState => ({ bus: 0 });

/** Nothing is ever plugged or unplugged, and no device has a label index. QEMU docs/specs/acpi_pci_hotplug.rst. */
const pciHotplug: Device<PciHotplugState> = {
  model: 'ACPI PCI hotplug',
  regions: [{ name: 'acpi-pci-hotplug', space: 'io', base: 0xae00, length: 0x18, minAccess: 4, maxAccess: 4 }],
  pins: [],
  read: (state, _region, offset) => (offset === SELECT_BUS ? state.bus : 0),
  describe: (state) => ({ bus: `${state.bus}` }),
};

/** The selector is all there is. */
const PCI_HOTPLUG_REDUCER: DeviceReducer<PciHotplugState> = {
  written(state, { offset, value }) {
    if (offset === SELECT_BUS) state.bus = value;
  },
  reset(state) {
    Object.assign(state, pciHotplugAtReset());
  },
};

const SELECT_BUS = 0x10;

/** On the board of every `pc`. */
export const driver: Driver<PciHotplugState, object> = {
  name: 'acpi-pci-hotplug',
  description: 'ACPI PCI hot-plug registers',
  bus: 'System',
  category: 'Misc',
  create: () => pciHotplug,
  atReset: pciHotplugAtReset,
  reducer: PCI_HOTPLUG_REDUCER,
};
