import { TRIPLE_FAULT } from '../../events/device.ts';
import { MAIN_LOOP } from '../../events/stamped.ts';
import { callOf, DeviceCall } from './device-call.ts';
import { DIRECT_BOOT } from '../../devices/direct-boot/index.ts';
import { ISA_BRIDGE } from './isa-bridge.ts';
import { enterKvmRun, leaveKvmRun, resetInterruptControllers, type Served } from '../accel/kvm-reset.ts';
import type { Machine, Part } from './machine.ts';
import { vectorsChanged } from './messages.ts';
import { resetVcpu } from '../accel/vcpu-registers.ts';

/** Do the reset somebody asked for, once the access that asked is over. False: nobody has asked. */
export function resetIfAsked(asked: Machine, served?: Served): boolean {
  const by = asked.state.resetBy;
  if (by === undefined) return false;
  const machine = asked.from(asked.origin.by(MAIN_LOOP));
  if (isInitialisation(machine, by)) initialiseVcpus(machine, by, served);
  else if (machine.options.noReboot === true) endInstead(machine, by);
  else resetSystem(machine, by, served);
  return true;
}

/** `-no-reboot`: a reset ends the run, which has failed where the guest cannot have meant it. */
function endInstead(machine: Machine, by: string): void {
  machine.raise(by === TRIPLE_FAULT ? { kind: 'sim:guest_panicked', by } : { kind: 'sim:powered_off' });
}

/** QEMU's system reset: every device, then memory and vCPUs. */
function resetSystem(asked: Machine, by: string, served: Served | undefined): void {
  const machine = asked.after(asked.raise({ kind: 'sim:reset', by }));
  leaveKvmRun(machine, served);
  // A kernel that starts after an initialisation still finds the bit that caused it.
  resetBoard(
    machine,
    machine.parts.filter(({ name }) => by !== DIRECT_BOOT || name !== 'port92'),
  );
  machine.board.type.powerOn(machine);
  enterKvmRun(machine);
}

/** Every device and interrupt controller as a reset leaves them; memory stays. */
export function resetBoard(machine: Machine, parts: readonly Part[] = machine.parts): void {
  for (const part of parts) resetDevice(machine, part);
  machine.board.type.remap(machine);
  resetInterruptControllers(machine);
}

function resetDevice(machine: Machine, part: Part): void {
  const call = new DeviceCall(machine, part, { kind: 'sim:device_reset', dev: part.name });
  part.device.reset?.(machine.stateOf(part), call);
  call.finish(part.device.reset === undefined);
  if (part.hasMessages) vectorsChanged(call.since, part, callOf);
}

/**
 * Without firmware, port 0x92, the keyboard controller and a soft 0xcf9 do what they do to hardware: INIT. With
 * firmware they reset the system, as QEMU's do. 82371SB data sheet, 2.5.5 and 2.5.6.
 */
function isInitialisation({ config, state }: Machine, by: string): boolean {
  if (config.firmware) return false;
  if (by === ISA_BRIDGE) return (state.devices[ISA_BRIDGE].resetControl & HARD_RESET) === 0;
  return by === 'port92' || by === 'i8042';
}

function initialiseVcpus(asked: Machine, by: string, served: Served | undefined): void {
  const machine = asked.after(asked.raise({ kind: 'sim:reset', by: `${by} (INIT)` }));
  leaveKvmRun(machine, served);
  for (let vcpu = 0; vcpu < machine.config.smp; vcpu++) resetVcpu(machine, vcpu);
  enterKvmRun(machine);
}

const HARD_RESET = 2;
