import { KVM_GET_IRQCHIP, KVM_GET_PIT2, KVM_SET_IRQCHIP, KVM_SET_PIT2 } from '../../kvm/ioctl/ioctls.ts';
import { little } from '../acpi/aml.ts';
import { DATA_AREA, TIMER } from '../bios/data-area.ts';
import type { Machine } from '../board/machine.ts';
import { assemble, label, type Line, op, ref } from '../option-rom/assemble.ts';
import { writeBytes } from '../memory/address-space.ts';
import { vmIoctl } from '../accel/traced-kvm.ts';

/**
 * What SeaBIOS leaves of the real mode's interrupts: both controllers initialised with the vectors of the PC/AT, PCI
 * interrupts level-triggered, the timer at 18.2 Hz, and a vector table whose handlers acknowledge and count the timer's
 * ticks. No service is behind the other vectors: they return at once.
 */
export function leaveRealModeInterrupts(machine: Machine): void {
  setUpControllers(machine);
  const pit: { channels: Record<string, number>[]; flags: number } = { channels: [], flags: 0 };
  vmIoctl(machine, machine.fds.vm, KVM_GET_PIT2, pit);
  Object.assign(pit.channels[0]!, RATE_GENERATOR);
  vmIoctl(machine, machine.fds.vm, KVM_SET_PIT2, pit);
  const vectors = new Uint16Array(2 * VECTORS);
  for (let vector = 0; vector < VECTORS; vector++) {
    if (isFree(vector)) continue;
    vectors[2 * vector] = handlerOf(vector);
    vectors[2 * vector + 1] = BIOS_SEGMENT;
  }
  writeBytes(machine.memory, 0, new Uint8Array(vectors.buffer));
  for (const [offset, code] of HANDLERS) writeBytes(machine.memory, BIOS_SEGMENT * 16 + offset, assemble(code));
}

/** Vectors that are programs' own: zero says that nobody has them. */
const isFree = (vector: number): boolean => (vector >= 0x60 && vector <= 0x66) || vector === 0x79;

export function setUpControllers(machine: Machine): void {
  CONTROLLERS.forEach((registers, chipId) => {
    const chip: { chipId: number; state: Record<string, number> } = { chipId, state: {} };
    vmIoctl(machine, machine.fds.vm, KVM_GET_IRQCHIP, chip);
    Object.assign(chip.state, registers);
    vmIoctl(machine, machine.fds.vm, KVM_SET_IRQCHIP, chip);
  });
}

function handlerOf(vector: number): number {
  if (vector === FIRST_VECTOR) return TIMER_INTERRUPT;
  if (vector > FIRST_VECTOR && vector < FIRST_VECTOR + 8) return HARDWARE_1;
  if (vector >= SECOND_VECTOR && vector < SECOND_VECTOR + 8) return HARDWARE_2;
  return RETURN;
}

const VECTORS = 256;
const BIOS_SEGMENT = 0xf000;
const FIRST_VECTOR = 0x08;
const SECOND_VECTOR = 0x70;
/** Offsets in the BIOS segment: these two are where the PC's BIOS has always had them. */
const RETURN = 0xff53;
const TIMER_INTERRUPT = 0xfea5;
const HARDWARE_1 = 0xfee0;
const HARDWARE_2 = 0xfef0;

const ACKNOWLEDGE_1 = [op('mov al, 0x20', 0xb0, 0x20), op('out 0x20, al', 0xe6, 0x20)];
const ACKNOWLEDGE_2 = [op('mov al, 0x20', 0xb0, 0x20), op('out 0xa0, al', 0xe6, 0xa0), op('out 0x20, al', 0xe6, 0x20)];
const PUSH_AX = op('push ax', 0x50);
const POP_AX = op('pop ax', 0x58);
const IRET = op('iret', 0xcf);

const absolute = (offset: number): [number, number] => [offset & 0xff, offset >> 8];
const TICKS = absolute(DATA_AREA + TIMER.ticks);
const MIDNIGHT = absolute(DATA_AREA + TIMER.midnight);

/** Count a tick, say so when a day is over, let programs have theirs by INT 1Ch. */
const COUNT_TICK: readonly Line[] = [
  op('push ds', 0x1e),
  PUSH_AX,
  op('xor ax, ax', 0x31, 0xc0),
  op('mov ds, ax', 0x8e, 0xd8),
  op('inc dword [ticks]', 0x66, 0xff, 0x06, ...TICKS),
  op('cmp dword [ticks], ticks of a day', 0x66, 0x81, 0x3e, ...TICKS, ...little(TIMER.ticksOfDay, 4)),
  ref('jb same_day', [0x72], 'same_day', 'short'),
  op('mov [ticks], 0', 0x66, 0xc7, 0x06, ...TICKS, 0, 0, 0, 0),
  op('inc byte [midnight]', 0xfe, 0x06, ...MIDNIGHT),
  label('same_day'),
  op('int 0x1c', 0xcd, 0x1c),
  ...ACKNOWLEDGE_1,
  POP_AX,
  op('pop ds', 0x1f),
  IRET,
];

const HANDLERS: readonly (readonly [offset: number, code: readonly Line[]])[] = [
  [RETURN, [IRET]],
  [TIMER_INTERRUPT, COUNT_TICK],
  [HARDWARE_1, [PUSH_AX, ...ACKNOWLEDGE_1, POP_AX, IRET]],
  [HARDWARE_2, [PUSH_AX, ...ACKNOWLEDGE_2, POP_AX, IRET]],
];

/** Timer, keyboard, cascade and floppy on the first controller; clock, mouse, FPU and disk on the second are open. */
const CONTROLLERS = [
  { irqBase: FIRST_VECTOR, imr: 0xb8, init4: 1, elcr: 0 },
  { irqBase: SECOND_VECTOR, imr: 0x8e, init4: 1, elcr: 0x0c },
] as const;
/** Counter 0 in mode 2 with the longest count, low byte first. Intel 8254 data sheet. */
const RATE_GENERATOR = { count: 0x10000, mode: 2, rwMode: 3, readState: 3, writeState: 3 } as const;
