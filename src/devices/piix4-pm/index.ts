import { getConfig, type PciFunction } from '../pci/index.ts';
import { answerPowerButton, expireOverflow, OVERFLOW, readPm, resetPm, writePm } from './decide.ts';
import { CONFIG, REGION } from './registers.ts';
import type { Piix4PmState } from './state.ts';
import type { Driver } from '../driver.ts';
import { PIIX4_PM_REDUCER } from './evolve.ts';
import { type Piix4PmOptions, piix4PmAtReset } from './state.ts';

export { PIIX4_PM_REDUCER } from './evolve.ts';
export { WAKE_UP } from './registers.ts';
export { type Piix4PmOptions, type Piix4PmState, piix4PmAtReset } from './state.ts';

/** ACPI power management (8086:7113), at 00:01.3. Pins: `sci` is irq 9, `smi` the processors' SMI. */
export const piix4Pm: PciFunction<Piix4PmState> = {
  model: 'PIIX4 PM',
  regions: [
    { name: 'acpi-evt', space: 'io', length: 4, minAccess: 2, maxAccess: 2 },
    { name: 'acpi-cnt', space: 'io', length: 2, minAccess: 2, maxAccess: 2 },
    { name: 'acpi-tmr', space: 'io', length: 4, minAccess: 4, maxAccess: 4 },
    { name: 'acpi-gpe0', space: 'io', base: 0xafe0, length: 4, minAccess: 1, maxAccess: 1 },
    { name: 'apm-io', space: 'io', base: 0xb2, length: 2, minAccess: 1, maxAccess: 1 },
    { name: 'pm-smbus', space: 'io', length: 64, minAccess: 1, maxAccess: 1 },
  ],
  pins: ['sci', 'smi'],
  timers: [OVERFLOW],
  bars: [],
  mapping: [
    [CONFIG.pmBase, CONFIG.pmBase + 3],
    [CONFIG.pmEnable, CONFIG.pmEnable],
    [CONFIG.smbusBase, CONFIG.smbusBase + 3],
    [CONFIG.smbusEnable, CONFIG.smbusEnable],
  ],
  place,
  read: (pm, region, offset, _size, effects) => readPm(pm, region, offset, effects),
  write: (pm, region, offset, _size, value, effects) => writePm(pm, region, offset, value, effects),
  expire: (pm, _timer, effects) => expireOverflow(pm, effects),
  receive: answerPowerButton,
  reset: resetPm,
  describe: (pm) => ({
    base: `0x${ioBase(pm, CONFIG.pmBase).toString(16)}`,
    status: `0x${pm.status.toString(16)}`,
    enable: `0x${pm.enable.toString(16)}`,
    control: `0x${pm.control.toString(16)}`,
    gpe: pm.gpe.map((byte) => byte.toString(16)).join(' '),
  }),
};

const OFFSETS: Readonly<Record<number, number>> = { [REGION.event]: 0, [REGION.control]: 4, [REGION.timer]: 8 };

function place(pm: Piix4PmState, region: number): number | undefined {
  if (region === REGION.smbus) {
    return pm.config[CONFIG.smbusEnable]! & 1 ? ioBase(pm, CONFIG.smbusBase) : undefined;
  }
  const offset = OFFSETS[region];
  if (offset === undefined || (pm.config[CONFIG.pmEnable]! & 1) === 0) return undefined;
  return ioBase(pm, CONFIG.pmBase) + offset;
}

const ioBase = (pm: Piix4PmState, register: number): number => getConfig(pm.config, register, 4) & 0xffc0;

/** On the board of every `pc`. */
export const driver: Driver<Piix4PmState, Piix4PmOptions> = {
  name: 'PIIX4_PM',
  description: 'Power management',
  bus: 'PCI',
  category: 'Controller/Bridge/Hub',
  create: () => piix4Pm,
  atReset: piix4PmAtReset,
  reducer: PIIX4_PM_REDUCER,
};
