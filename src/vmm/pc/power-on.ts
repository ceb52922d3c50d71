import type { Gpa } from '../../base/units.ts';
import type { Machine } from '../board/machine.ts';
import { bootProtocol, bootsThroughFirmware } from '../loaders/boot-path.ts';
import { planLinux } from '../loaders/direct-linux.ts';
import { planMultiboot } from '../loaders/multiboot.ts';
import type { LoadPlan } from '../loaders/plan.ts';
import { planPvh } from '../loaders/pvh.ts';
import { planRealMode } from '../loaders/real-mode.ts';
import { readBytes, writeBytes } from '../memory/address-space.ts';
import { enterKernel, resetVcpu, setMemoryTypes } from '../accel/vcpu-registers.ts';
import { biosTables } from './bios-tables.ts';
import { playFirmware } from './firmware-role.ts';

/** Put memory and vCPUs where the first instruction finds them: at power-on and after every system reset. */
export function powerOn(machine: Machine): void {
  for (let vcpu = 0; vcpu < machine.config.smp; vcpu++) resetVcpu(machine, vcpu);
  if (!startsKernel(machine)) return;
  const { placed, rsdp } = biosTables(machine);
  const plan = directPlan(machine, rsdp);
  playFirmware(machine, placed);
  place(machine, plan);
  leaveMemoryTypes(machine);
  enterKernel(machine, plan.entry);
}

/** Whether a kernel starts without firmware. */
const startsKernel = ({ options }: Machine): boolean => options.kernel !== undefined && !bootsThroughFirmware(options);

function directPlan(machine: Machine, rsdp: number): LoadPlan {
  const { initrd, modules = [], append = '' } = machine.options;
  const kernel = machine.options.kernel!;
  const { ram } = machine.board;
  switch (bootProtocol(kernel)) {
    case 'multiboot':
      return planMultiboot({ kernel, modules: initrd === undefined ? [] : [initrd, ...modules], append, ram });
    case 'pvh':
      return planPvh({ kernel, initrd, append, ram, rsdp });
    case 'real mode':
      return planRealMode({ kernel, initrd, append, ram });
    case 'linux':
      return planLinux({ kernel, initrd, append, ram, rsdp });
  }
}

/** Copy the plan into memory; zeros after a segment matter only where an earlier run left something. */
function place(machine: Machine, plan: LoadPlan): void {
  for (const { gpa, bytes, size } of plan.segments) {
    writeBytes(machine.memory, gpa, bytes);
    clear(machine, gpa + bytes.length, size - bytes.length);
  }
}

function clear(machine: Machine, gpa: Gpa, length: number): void {
  for (let done = 0; done < length; done += CHUNK) {
    const size = Math.min(CHUNK, length - done);
    const there = readBytes(machine.memory, gpa + done, size);
    if (there.some((byte) => byte !== 0)) writeBytes(machine.memory, gpa + done, new Uint8Array(size));
  }
}

/** Memory types as firmware leaves them. */
export const leaveMemoryTypes = (machine: Machine): void => setMemoryTypes(machine, pciHole(machine));

/** Start of the hole for PCI memory below 4 GiB, as SeaBIOS chooses it. */
function pciHole(machine: Machine): number {
  return machine.board.ram.below4g <= 0x80000000 ? 0x80000000 : 0xc0000000;
}

const CHUNK = 0x10000;
