import { KVM_GET_IRQCHIP, KVM_GET_PIT2, KVM_SET_IRQCHIP, KVM_SET_PIT2 } from '../../kvm/ioctl/ioctls.ts';
import type { Machine } from '../board/machine.ts';
import { writeBytes } from '../memory/address-space.ts';
import { vmIoctl } from '../accel/traced-kvm.ts';

/**
 * What SeaBIOS leaves of the real mode's interrupts: both controllers initialised with the vectors of the PC/AT, PCI
 * interrupts level-triggered, the timer at 18.2 Hz, and a vector table whose handlers do no more than acknowledge.
 */
export function leaveRealModeInterrupts(machine: Machine): void {
  setUpControllers(machine);
  const pit: { channels: Record<string, number>[]; flags: number } = { channels: [], flags: 0 };
  vmIoctl(machine, machine.fds.vm, KVM_GET_PIT2, pit);
  Object.assign(pit.channels[0]!, RATE_GENERATOR);
  vmIoctl(machine, machine.fds.vm, KVM_SET_PIT2, pit);
  const vectors = new Uint16Array(2 * VECTORS);
  for (let vector = 0; vector < VECTORS; vector++) {
    vectors[2 * vector] = handlerOf(vector);
    vectors[2 * vector + 1] = BIOS_SEGMENT;
  }
  writeBytes(machine.memory, 0, new Uint8Array(vectors.buffer));
  for (const [offset, code] of HANDLERS) writeBytes(machine.memory, BIOS_SEGMENT * 16 + offset, Uint8Array.from(code));
}

export function setUpControllers(machine: Machine): void {
  CONTROLLERS.forEach((registers, chipId) => {
    const chip: { chipId: number; state: Record<string, number> } = { chipId, state: {} };
    vmIoctl(machine, machine.fds.vm, KVM_GET_IRQCHIP, chip);
    Object.assign(chip.state, registers);
    vmIoctl(machine, machine.fds.vm, KVM_SET_IRQCHIP, chip);
  });
}

function handlerOf(vector: number): number {
  if (vector >= FIRST_VECTOR && vector < FIRST_VECTOR + 8) return HARDWARE_1;
  if (vector >= SECOND_VECTOR && vector < SECOND_VECTOR + 8) return HARDWARE_2;
  return RETURN;
}

const VECTORS = 256;
const BIOS_SEGMENT = 0xf000;
const FIRST_VECTOR = 0x08;
const SECOND_VECTOR = 0x70;
/** Offsets in the BIOS segment: SeaBIOS' entry_iret_official is at its historical place. */
const RETURN = 0xff53;
const HARDWARE_1 = 0xfea5;
const HARDWARE_2 = 0xfeb0;
const PUSH_AX = 0x50;
const POP_AX = 0x58;
const IRET = 0xcf;
const MOV_AL_EOI = [0xb0, 0x20] as const;
const OUT_20 = [0xe6, 0x20] as const;
const OUT_A0 = [0xe6, 0xa0] as const;

const HANDLERS = [
  [RETURN, [IRET]],
  [HARDWARE_1, [PUSH_AX, ...MOV_AL_EOI, ...OUT_20, POP_AX, IRET]],
  [HARDWARE_2, [PUSH_AX, ...MOV_AL_EOI, ...OUT_A0, ...OUT_20, POP_AX, IRET]],
] as const;

/** Timer, keyboard, cascade and floppy on the first controller; clock, mouse, FPU and disk on the second are open. */
const CONTROLLERS = [
  { irqBase: FIRST_VECTOR, imr: 0xb8, init4: 1, elcr: 0 },
  { irqBase: SECOND_VECTOR, imr: 0x8e, init4: 1, elcr: 0x0c },
] as const;
/** Counter 0 in mode 2 with the longest count, low byte first. Intel 8254 data sheet. */
const RATE_GENERATOR = { count: 0x10000, mode: 2, rwMode: 3, readState: 3, writeState: 3 } as const;
