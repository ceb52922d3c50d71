import type { DEVICE_FACTS } from '../../events/device.ts';
import * as board from '../../vmm/evolve/board.ts';
import { deviceFact, deviceNotified, deviceReset, messagePending, registerTaken } from '../../vmm/evolve/devices.ts';
import { ofItsDevice } from './of-device.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

const OF_SERIAL = ({ line }: { readonly line: number }): string => `serial${line}`;
const OF_KEYBOARD = (): string => 'i8042';
const OF_CLOCK = (): string => 'rtc';
const OF_HPET = (): string => 'hpet';
const OF_PM = (): string => 'piix4-pm';
const OF_FW_CFG = (): string => 'fw_cfg';

export const DEVICE_ROWS: Rows<keyof typeof DEVICE_FACTS> = {
  'sim:irq_line': changes(['board', 'devices'], vmm(board.pinDriven)),
  'sim:register_taken': changes(['devices'], vmm(registerTaken)),
  'sim:device_reset': changes(['devices'], vmm(deviceReset)),
  'sim:device_notified': changes(['devices'], vmm(deviceNotified)),
  'sim:dma': tells,
  'sim:device_data': ofItsDevice(),
  'sim:msi_pending': changes(['devices'], vmm(messagePending)),
  'sim:msi_route': changes(['board'], vmm(board.msiRouted)),
  'sim:dma_gathered': tells,
  'sim:serial_sent': changes(['devices'], vmm(deviceFact(OF_SERIAL))),
  'sim:serial_looped': changes(['devices'], vmm(deviceFact(OF_SERIAL))),
  'sim:serial_accepted': changes(['devices'], vmm(deviceFact(OF_SERIAL))),
  'sim:chardev_sent': ofItsDevice(),
  'sim:kbc_filled': changes(['devices'], vmm(deviceFact(OF_KEYBOARD))),
  'sim:rtc_time': changes(['devices'], vmm(deviceFact(OF_CLOCK))),
  'sim:rtc_set': changes(['devices'], vmm(deviceFact(OF_CLOCK))),
  'sim:rtc_alarm': changes(['devices'], vmm(deviceFact(OF_CLOCK))),
  'sim:rtc_update_ended': changes(['devices'], vmm(deviceFact(OF_CLOCK))),
  'sim:rtc_uip': changes(['devices'], vmm(deviceFact(OF_CLOCK))),
  'sim:hpet_counter': changes(['devices'], vmm(deviceFact(OF_HPET))),
  'sim:hpet_match': changes(['devices'], vmm(deviceFact(OF_HPET))),
  'sim:pm_timer_status': changes(['devices'], vmm(deviceFact(OF_PM))),
  'sim:pm_overflow': changes(['devices'], vmm(deviceFact(OF_PM))),
  'sim:fw_cfg_dma': changes(['devices'], vmm(deviceFact(OF_FW_CFG))),
  'sim:reset_asked': changes(['board'], vmm(board.resetAsked)),
  'sim:reset': changes(['board'], vmm(board.resetDone)),
  'sim:machine_stopped': changes(['board'], vmm(board.stopped)),
  'sim:machine_continued': changes(['board'], vmm(board.continued)),
  'sim:suspend_asked': changes(['board'], vmm(board.suspendAsked)),
  'sim:suspended': changes(['board', 'devices'], vmm(board.suspended), vmm(deviceFact(OF_CLOCK))),
  'sim:wakeup_asked': changes(['board'], vmm(board.wakeupAsked)),
  'sim:woken': changes(['board'], vmm(board.woken)),
  'sim:pm_woken': changes(['devices'], vmm(deviceFact(OF_PM))),
  'sim:eventfd_bound': changes(['board'], vmm(board.eventfdBound)),
};
