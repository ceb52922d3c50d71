import type { Piix3State } from '../devices/piix3/index.ts';
import { DIRECT_BOOT } from './direct/reset-code.ts';
import { ISA_BRIDGE } from './effects.ts';
import { leaveKvmRun, resetInterruptControllers } from './kvm-reset.ts';
import type { Machine } from './machine.ts';
import { powerOn } from './pc/power-on.ts';
import { remap } from './pc/remap.ts';
import { resetVcpu } from './vcpu-registers.ts';

/** Do the reset somebody asked for, once the access that asked is over. */
export function resetIfAsked(machine: Machine): void {
  const by = machine.state.resetBy;
  if (by === undefined) return;
  machine.state.resetBy = undefined;
  if (isInitialisation(machine, by)) {
    initialiseVcpus(machine, by);
    return;
  }
  if (machine.options.noReboot === true) {
    machine.state.stopped = true;
    machine.host.ask({ ask: 'power-off' });
    return;
  }
  resetSystem(machine, by);
}

/** QEMU's system reset: every device, then memory and vCPUs. */
function resetSystem(machine: Machine, by: string): void {
  machine.host.raise({ kind: 'sim:reset', by });
  machine.cpu = MAIN_LOOP;
  leaveKvmRun(machine);
  machine.parts.forEach((part, index) => {
    // A kernel that starts after an initialisation still finds the bit that caused it.
    if (by === DIRECT_BOOT && part.name === 'port92') return;
    part.device.reset?.(machine.state.devices[part.name]!, machine.effects[index]!);
  });
  remap(machine);
  resetInterruptControllers(machine);
  powerOn(machine);
}

/**
 * Without firmware, port 0x92, the keyboard controller and a soft 0xcf9 do what they do to hardware: INIT. With
 * firmware they reset the system, as QEMU's do. 82371SB data sheet, 2.5.5 and 2.5.6.
 */
function isInitialisation(machine: Machine, by: string): boolean {
  if (machine.options.bios !== undefined) return false;
  if (by === ISA_BRIDGE) return ((machine.state.devices[ISA_BRIDGE] as Piix3State).resetControl & HARD_RESET) === 0;
  return by === 'port92' || by === 'i8042';
}

function initialiseVcpus(machine: Machine, by: string): void {
  machine.host.raise({ kind: 'sim:reset', by: `${by} (INIT)` });
  machine.cpu = MAIN_LOOP;
  leaveKvmRun(machine);
  for (let vcpu = 0; vcpu < machine.options.smp; vcpu++) resetVcpu(machine, vcpu);
}

const MAIN_LOOP = -1;
const HARD_RESET = 2;
