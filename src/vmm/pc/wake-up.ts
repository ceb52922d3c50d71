import type { Machine } from '../board/machine.ts';
import { resetVcpu, resumeAt } from '../accel/vcpu-registers.ts';
import { bootsThroughFirmware } from '../loaders/boot-path.ts';
import { playResume, wakingVector } from './firmware-role.ts';
import { leaveMemoryTypes, powerOn } from './power-on.ts';

/**
 * Back from sleep. Firmware starts as after a reset and finds by the shutdown status that it is to go on where the
 * guest said; without firmware its part is played. A guest that has said nothing is started anew.
 */
export function wakeUp(machine: Machine): void {
  const { options } = machine;
  const hasFirmware = options.kernel === undefined || bootsThroughFirmware(options);
  const vector = hasFirmware ? 0 : wakingVector(machine);
  if (vector === 0) {
    powerOn(machine);
    return;
  }
  for (let vcpu = 0; vcpu < machine.config.smp; vcpu++) resetVcpu(machine, vcpu);
  playResume(machine);
  leaveMemoryTypes(machine);
  resumeAt(machine, vector);
}
