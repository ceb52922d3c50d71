import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';

/** CPU hot-plug registers at 0xaf00. All processors are there from the start and stay. */
export interface CpuHotplugState {
  /** The registers of today's interface; before the guest writes the selector it sees a bitmap. */
  readonly modern: boolean;
  readonly selector: number;
  readonly command: number;
}

/** The bitmap form, as QEMU starts. */
const cpuHotplugAtReset = (): CpuHotplugState => ({ modern: false, selector: 0, command: 0 });

/** Block the DSDT's processor devices read their status from. QEMU docs/specs/acpi_cpu_hotplug.rst. */
function cpuHotplug(cpus: number): Device<CpuHotplugState> {
  return {
    model: 'ACPI CPU hotplug',
    regions: [{ name: 'acpi-cpu-hotplug', space: 'io', base: 0xaf00, length: 0x20, minAccess: 1, maxAccess: 4 }],
    pins: [],
    read: (state, _region, offset) => {
      if (!state.modern) return (((1 << cpus) - 1) >> (8 * offset)) & 0xff;
      if (offset === REGISTER.flags) return state.selector < cpus ? ENABLED : 0;
      return offset === REGISTER.data && state.command === NEXT_WITH_EVENT ? state.selector : 0;
    },
    describe: (state) => ({ selector: `${state.selector}`, command: `${state.command}` }),
  };
}

/** The first write of the selector switches to the registers of today. */
const CPU_HOTPLUG_REDUCER: DeviceReducer<CpuHotplugState> = {
  written(state, { offset, value }) {
    if (!state.modern && offset !== REGISTER.selector) return;
    state.modern = true;
    if (offset === REGISTER.selector) state.selector = value;
    else if (offset === REGISTER.command) state.command = value;
  },
  reset(state) {
    Object.assign(state, cpuHotplugAtReset());
  },
};

const REGISTER = { selector: 0, flags: 4, command: 5, data: 8 } as const;
const ENABLED = 1;
const NEXT_WITH_EVENT = 0;

/** How many processors there are. */
interface CpuHotplugSetup {
  readonly cpus: number;
}

/** On the board of every `pc`. */
export const driver: Driver<CpuHotplugState, CpuHotplugSetup> = {
  name: 'acpi-cpu-hotplug',
  description: 'ACPI CPU hot-plug registers',
  bus: 'System',
  category: 'Misc',
  create: ({ cpus }) => cpuHotplug(cpus),
  atReset: cpuHotplugAtReset,
  reducer: CPU_HOTPLUG_REDUCER,
};
