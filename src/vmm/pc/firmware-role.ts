import { secondsAt } from '../../devices/mc146818/index.ts';
import { COMMAND, PCI } from '../../devices/pci/index.ts';
import { DATA_AREA, dataArea, EXTENDED_DATA_AREA, extendedDataArea } from '../bios/data-area.ts';
import type { Placed } from '../bios/segment.ts';
import { RESET_CODE_START, resetCode } from '../direct/reset-code.ts';
import type { Machine } from '../board/machine.ts';
import { readBytes, writeBytes, writeSpace } from '../memory/address-space.ts';
import { pciParts } from '../board/pci-parts.ts';
import { ACPI_AREA } from '../loaders/e820.ts';
import { placesOfBars } from './bar-places.ts';
import { devfnOf, lineOf, PIRQ_ROUTES, pinOf, POWER_MANAGEMENT } from './bios-tables.ts';
import { leaveRealModeInterrupts, setUpControllers } from './firmware-interrupts.ts';
import { serialPorts } from './parts.ts';

/**
 * What SeaBIOS would have done to the board before a kernel starts: memory shadowed, power management and BARs
 * placed, PCI interrupts routed, keyboard translated. Done by the same accesses. Then its tables and variables.
 */
export function playFirmware(machine: Machine, tables: readonly Placed[]): void {
  setUpBoard(machine);
  for (const { address, bytes } of tables) writeBytes(machine.memory, address, bytes);
  writeDataAreas(machine);
  leaveRealModeInterrupts(machine);
  writeBytes(machine.memory, BIOS_SEGMENT + RESET_CODE_START, resetCode().subarray(RESET_CODE_START));
  writeConfigByte(machine, HOST_BRIDGE, PAM0, 0x10);
}

/** The way back from sleep: the board again, nothing of memory. */
export function playResume(machine: Machine): void {
  setUpBoard(machine);
  setUpControllers(machine);
  writeConfigByte(machine, HOST_BRIDGE, PAM0, 0x10);
  out(machine, CMOS_INDEX, 1, SHUTDOWN_STATUS);
  out(machine, CMOS_DATA, 1, 0);
}

/** Where the guest wants to go on: the FACS, first of the tables, has it. ACPI 6.4, 5.2.10. */
export function wakingVector(machine: Machine): number {
  const facs = machine.board.ram.below4g - ACPI_AREA;
  const [a = 0, b = 0, c = 0, d = 0] = readBytes(machine.memory, facs + FACS_WAKING_VECTOR, 4);
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}

function setUpBoard(machine: Machine): void {
  writeConfigByte(machine, HOST_BRIDGE, PAM0, 0x30);
  for (let register = PAM0 + 1; register <= 0x5f; register++) writeConfigByte(machine, HOST_BRIDGE, register, 0x33);
  for (const [index, irq] of PIRQ_ROUTES.entries()) writeConfigByte(machine, ISA_BRIDGE, 0x60 + index, irq);
  writeConfig(machine, POWER_MANAGEMENT, 0x40, 4, PM_BASE | 1);
  writeConfigByte(machine, POWER_MANAGEMENT, 0x80, 1);
  writeConfig(machine, POWER_MANAGEMENT, 0x90, 4, SMBUS_BASE | 1);
  writeConfigByte(machine, POWER_MANAGEMENT, 0xd2, 9);
  setUpFunctions(machine);
  out(machine, KEYBOARD_COMMAND, 1, WRITE_COMMAND_BYTE);
  out(machine, KEYBOARD_DATA, 1, INTERRUPT_AND_TRANSLATE);
}

/** Place every BAR; name the interrupt line; let the function decode. */
function setUpFunctions(machine: Machine): void {
  const functions = pciParts(machine).sort((one, other) => devfnOf(one) - devfnOf(other));
  const places = placesOfBars(functions.flatMap(({ function: { bars } }) => bars));
  for (const each of functions) {
    const devfn = devfnOf(each);
    for (const bar of each.function.bars) {
      const register = bar.index === ROM_BAR ? PCI.rom : PCI.bar0 + 4 * bar.index;
      writeConfig(machine, devfn, register, 4, places.get(bar)!);
      if (bar.width === 64) writeConfig(machine, devfn, register + 4, 4, 0);
    }
    if (pinOf(each) !== 0) writeConfigByte(machine, devfn, PCI.interruptLine, lineOf(each));
    writeConfig(machine, devfn, PCI.command, 2, COMMAND.io | COMMAND.memory | COMMAND.serr);
  }
}

/** What the BIOS keeps of the machine for itself and for whoever asks. */
function writeDataAreas(machine: Machine): void {
  const seconds = secondsAt(machine.state.devices.rtc, machine.now());
  const secondsOfDay = seconds - Math.floor(seconds / SECONDS_OF_DAY) * SECONDS_OF_DAY;
  writeBytes(machine.memory, DATA_AREA, dataArea({ serialPorts: serialPorts(machine.config), secondsOfDay }));
  writeBytes(machine.memory, EXTENDED_DATA_AREA, extendedDataArea());
}

function writeConfigByte(machine: Machine, devfn: number, register: number, value: number): void {
  writeConfig(machine, devfn, register, 1, value);
}

function writeConfig(machine: Machine, devfn: number, register: number, size: number, value: number): void {
  out(machine, 0xcf8, 4, 0x80000000 + devfn * 0x100 + (register & 0xfc));
  out(machine, 0xcfc + (register & 3), size, value);
}

function out(machine: Machine, port: number, size: number, value: number): void {
  const bytes = new Uint8Array(size);
  let rest = value;
  for (let at = 0; at < size; at++) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  writeSpace(machine.io, port, { bytes, at: 0, length: size });
}

const BIOS_SEGMENT = 0xf0000;
const ROM_BAR = 6;
const FACS_WAKING_VECTOR = 12;
const CMOS_INDEX = 0x70;
const CMOS_DATA = 0x71;
const SHUTDOWN_STATUS = 0x0f;
const KEYBOARD_DATA = 0x60;
const KEYBOARD_COMMAND = 0x64;
/** 8042 command 0x60, and the byte SeaBIOS leaves: keyboard interrupt, scan codes translated, mouse off. */
const WRITE_COMMAND_BYTE = 0x60;
const INTERRUPT_AND_TRANSLATE = 0x61;
/** Slot and function as configuration addresses carry them. */
const HOST_BRIDGE = 0;
const ISA_BRIDGE = 1 << 3;
/** Attributes of F0000-FFFFF in the high half; the registers after it hold 32 KiB each. */
const PAM0 = 0x59;
const PM_BASE = 0x600;
const SMBUS_BASE = 0x700;
const SECONDS_OF_DAY = 86_400;
