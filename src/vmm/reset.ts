import { leaveKvmRun, resetInterruptControllers } from './kvm-reset.ts';
import type { Machine } from './machine.ts';
import { powerOn } from './pc/power-on.ts';
import { remap } from './pc/remap.ts';

/** QEMU's system reset, once the access that asked for it is over: every device, then memory and vCPUs. */
export function resetIfAsked(machine: Machine): void {
  const by = machine.state.resetBy;
  if (by === undefined) return;
  machine.state.resetBy = undefined;
  if (machine.options.noReboot === true) {
    machine.state.stopped = true;
    machine.host.ask({ ask: 'power-off' });
    return;
  }
  machine.host.raise({ kind: 'sim:reset', by });
  machine.cpu = -1;
  leaveKvmRun(machine);
  machine.parts.forEach((part, index) => {
    part.device.reset?.(machine.state.devices[part.name]!, machine.effects[index]!);
  });
  remap(machine);
  resetInterruptControllers(machine);
  powerOn(machine);
}
