import type { Machine } from '../machine.ts';
import { writeSpace } from '../memory/address-space.ts';

/** Where the ACPI root pointer goes when no firmware places it. */
export const RSDP_ADDRESS = 0xf5990;

/**
 * What SeaBIOS would have done to the board before a kernel starts: memory shadowed, power management placed,
 * PCI interrupts routed. Done by the same configuration accesses.
 */
export function playFirmware(machine: Machine): void {
  for (let register = 0x59; register <= 0x5f; register++) writeConfigByte(machine, 0, register, register === 0x59 ? 0x30 : 0x33);
  for (const [index, irq] of PIRQ_ROUTES.entries()) writeConfigByte(machine, ISA_BRIDGE, 0x60 + index, irq);
  writeConfig(machine, POWER_MANAGEMENT, 0x40, 4, PM_BASE | 1);
  writeConfigByte(machine, POWER_MANAGEMENT, 0x80, 1);
  outByte(machine, 0x4d1, 0x0c);
}

function writeConfigByte(machine: Machine, devfn: number, register: number, value: number): void {
  writeConfig(machine, devfn, register, 1, value);
}

function writeConfig(machine: Machine, devfn: number, register: number, size: number, value: number): void {
  out(machine, 0xcf8, 4, 0x80000000 + devfn * 0x100 + (register & 0xfc));
  out(machine, 0xcfc + (register & 3), size, value);
}

const outByte = (machine: Machine, port: number, value: number): void => out(machine, port, 1, value);

function out(machine: Machine, port: number, size: number, value: number): void {
  const bytes = new Uint8Array(size);
  let rest = value;
  for (let at = 0; at < size; at++) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  writeSpace(machine.io, port, { bytes, at: 0, length: size });
}

/** Slot and function as configuration addresses carry them. */
const ISA_BRIDGE = 1 << 3;
const POWER_MANAGEMENT = (1 << 3) | 3;
const PM_BASE = 0x600;
/** SeaBIOS spreads PIRQA-D over these two. */
const PIRQ_ROUTES = [10, 10, 11, 11] as const;
