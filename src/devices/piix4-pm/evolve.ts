/** What facts do to the power management function. 82371AB data sheet, chapter 7; ACPI 6.4, 4.8. */
import type { Draft } from '../../base/draft.ts';
import { putAt } from '../../base/places.ts';
import type { DeviceReducer, RegisterWrite } from '../device.ts';
import { resetConfig } from '../pci/index.ts';
import { APM, CONFIG, CONTROL, PM1, REGION } from './registers.ts';
import type { Piix4PmState } from './state.ts';

type Pm = Draft<Piix4PmState>;

/** The PM timer ignores writes. */
function write(pm: Pm, { region, offset, value }: RegisterWrite): void {
  switch (region) {
    case REGION.event:
      if (offset === 0) pm.status &= ~value;
      else if (offset === 2) pm.enable = value;
      break;
    case REGION.control:
      pm.control = value & ~CONTROL.sleepEnable;
      break;
    case REGION.gpe:
      putAt(pm.gpe, offset, offset < 2 ? pm.gpe[offset]! & ~value : value);
      break;
    case REGION.apm:
      if (offset === 0) writeApmControl(pm, value);
      else pm.apmStatus = value;
      break;
    case REGION.smbus:
      writeSmbus(pm, offset, value);
      break;
  }
}

function writeApmControl(pm: Pm, value: number): void {
  pm.apmControl = value;
  if (value === APM.acpiEnable) pm.control |= CONTROL.sciEnable;
  else if (value === APM.acpiDisable) pm.control &= ~CONTROL.sciEnable;
}

/** Starting a transfer ends in DEV_ERR: nothing is on the bus. Host status bits are write-one-to-clear. */
function writeSmbus(pm: Pm, offset: number, value: number): void {
  const HOST_STATUS = 0;
  const HOST_CONTROL = 2;
  const START = 0x40;
  const DEVICE_ERROR = 0x04;
  if (offset >= pm.smbus.length) return;
  if (offset === HOST_STATUS) pm.smbus[offset] = pm.smbus[offset]! & ~value;
  else pm.smbus[offset] = offset === HOST_CONTROL ? value & ~START : value;
  if (offset === HOST_CONTROL && value & START) pm.smbus[HOST_STATUS] = pm.smbus[HOST_STATUS]! | DEVICE_ERROR;
}

/** Registers after a system reset. The 82371AB's I/O base must be set again by firmware. */
function reset(pm: Pm): void {
  resetConfig(pm, []);
  for (const at of [0x58, 0x59, 0x5a]) pm.config[at] = 0;
  pm.config[CONFIG.apmEnable] = pm.smm ? 0 : 0x02;
  pm.config[CONFIG.pmBase] = 0x01;
  pm.config[CONFIG.pmEnable] = 0;
  pm.status = 0;
  pm.enable = 0;
  pm.control = 0;
  pm.overflowCount = 0;
  pm.gpe = [0, 0, 0, 0];
}

export const PIIX4_PM_REDUCER: DeviceReducer<Piix4PmState> = {
  written: write,
  reset,
  facts: {
    'sim:pm_timer_status'(pm) {
      pm.status |= PM1.timer;
    },
    'sim:pm_overflow'(pm, { count }) {
      pm.overflowCount = count;
    },
    'sim:pm_woken'(pm, { status }) {
      pm.status |= status;
    },
    /** PWRBTN_STS, if the guest wants to know. */
    'sim:power_button_pressed'(pm) {
      if (pm.enable & PM1.powerButton) pm.status |= PM1.powerButton;
    },
  },
};
