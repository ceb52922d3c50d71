/** Every model a machine may be made of, by the name a part gives it. */
import { DEBUG_EXIT_REDUCER } from '../devices/debug-exit/index.ts';
import { DEBUG_PORTS_REDUCER } from '../devices/debug-ports/index.ts';
import { DEBUGCON_REDUCER } from '../devices/debugcon/index.ts';
import type { DeviceReducer } from '../devices/device.ts';
import { HPET_REDUCER } from '../devices/hpet/index.ts';
import { I440FX_REDUCER, i440fx } from '../devices/i440fx/index.ts';
import { I8042_REDUCER } from '../devices/i8042/index.ts';
import { I8237_REDUCER } from '../devices/i8237/index.ts';
import { KVMVAPIC_REDUCER } from '../devices/kvmvapic/index.ts';
import { MC146818_REDUCER } from '../devices/mc146818/index.ts';
import { PC_TESTDEV_REDUCER } from '../devices/pc-testdev/index.ts';
import type { PciFunction, PciFunctionState } from '../devices/pci/index.ts';
import { PCI_TESTDEV_REDUCER, pciTestdev } from '../devices/pci-testdev/index.ts';
import { PIIX3_REDUCER, piix3 } from '../devices/piix3/index.ts';
import { PIIX3_IDE_REDUCER, piix3Ide } from '../devices/piix3-ide/index.ts';
import { PIIX4_PM_REDUCER, piix4Pm } from '../devices/piix4-pm/index.ts';
import { PORT92_REDUCER } from '../devices/port92/index.ts';
import { UART_REDUCER } from '../devices/uart16550/index.ts';
import { CPU_HOTPLUG_REDUCER, PCI_HOTPLUG_REDUCER } from './acpi/hotplug.ts';
import { DIRECT_BOOT_REDUCER } from './direct/reset-code.ts';
import { FW_CFG_REDUCER } from './fw-cfg/device.ts';

/** How each model's state follows from facts. */
export const DEVICE_REDUCERS = {
  uart16550: UART_REDUCER,
  mc146818: MC146818_REDUCER,
  i8042: I8042_REDUCER,
  i8237: I8237_REDUCER,
  hpet: HPET_REDUCER,
  port92: PORT92_REDUCER,
  i440fx: I440FX_REDUCER,
  piix3: PIIX3_REDUCER,
  piix3Ide: PIIX3_IDE_REDUCER,
  piix4Pm: PIIX4_PM_REDUCER,
  debugcon: DEBUGCON_REDUCER,
  debugExit: DEBUG_EXIT_REDUCER,
  debugPorts: DEBUG_PORTS_REDUCER,
  kvmvapic: KVMVAPIC_REDUCER,
  pcTestdev: PC_TESTDEV_REDUCER,
  pciTestdev: PCI_TESTDEV_REDUCER,
  cpuHotplug: CPU_HOTPLUG_REDUCER,
  pciHotplug: PCI_HOTPLUG_REDUCER,
  fwCfg: FW_CFG_REDUCER,
  directBoot: DIRECT_BOOT_REDUCER,
} as const;

export type DeviceModel = keyof typeof DEVICE_REDUCERS;

/** A model's reducer, for whoever knows its state only as some device's. */
export const reducerOf = (model: DeviceModel): DeviceReducer<object> => DEVICE_REDUCERS[model] as DeviceReducer<object>;

/** The PCI functions among them. */
export const PCI_FUNCTIONS: Readonly<Partial<Record<DeviceModel, PciFunction<PciFunctionState>>>> = {
  i440fx: i440fx as PciFunction<PciFunctionState>,
  piix3: piix3 as PciFunction<PciFunctionState>,
  piix3Ide: piix3Ide as PciFunction<PciFunctionState>,
  piix4Pm: piix4Pm as PciFunction<PciFunctionState>,
  pciTestdev: pciTestdev as PciFunction<PciFunctionState>,
};
