import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';

/** Port 0x80 and port 0xf0. */
export interface DebugPortsState {
  /** Last POST code, for a person. */
  readonly postCode: number;
}

/** No code yet. */
export function debugPortsAtReset(): DebugPortsState {
  return { postCode: 0 };
}

const POST = 0;

/**
 * POST codes (port 0x80, also Linux's I/O delay) and the coprocessor error latch (port 0xf0). Both read all ones.
 * The latch does nothing, as in QEMU under KVM: under VMX an x87 error is #MF and never IRQ 13.
 */
export const debugPorts: Device<DebugPortsState> = {
  model: 'debug ports',
  regions: [
    { name: 'ioport80', space: 'io', base: 0x80, length: 1, minAccess: 1, maxAccess: 1 },
    { name: 'ioportF0', space: 'io', base: 0xf0, length: 1, minAccess: 1, maxAccess: 1 },
  ],
  pins: [],
  read: () => 0xff,
  describe: (ports) => ({ 'POST code': `0x${ports.postCode.toString(16).padStart(2, '0')}` }),
};

/** The last code stays. */
export const DEBUG_PORTS_REDUCER: DeviceReducer<DebugPortsState> = {
  written(ports, { region, value }) {
    if (region === POST) ports.postCode = value;
  },
};

/** On the board of every `pc`. */
export const driver: Driver<DebugPortsState, object> = {
  name: 'debug-ports',
  description: 'POST codes and coprocessor errors',
  bus: 'ISA',
  category: 'Misc',
  create: () => debugPorts,
  atReset: debugPortsAtReset,
  reducer: DEBUG_PORTS_REDUCER,
};
