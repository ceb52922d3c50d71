/** Where devices of the command line may sit: no two at one place. */
import { Problem, shortly } from '../../base/problem.ts';
import { PCI, type PciFunctionState } from '../../devices/pci/index.ts';
import type { Part } from '../board/machine.ts';
import { KERNEL_PORTS } from './kernel-ports.ts';

/** A slot and function of PCI bus 0. */
interface PciAddress {
  readonly slot: number;
  readonly function: number;
}

const SLOTS = 32;

/** `SLOT[.FN]` in hexadecimal, as QEMU reads it. */
export function pciAddress(name: string, text: string, parts: readonly Part[]): PciAddress {
  const [, slotText = '', functionText = '0'] = /^([0-9a-f]{1,2})(?:\.([0-7]))?$/i.exec(text) ?? [];
  const slot = Number.parseInt(slotText, 16);
  const address = { slot, function: Number(functionText) };
  if (!(slot < SLOTS)) {
    throw new Problem(`-device ${name}: addr=${shortly(text)} is not SLOT[.FUNCTION], like 4 or 04.0, up to 1f.7.`);
  }
  const there = occupant(address, parts);
  if (there !== undefined) {
    throw new Problem(`-device ${name}: at PCI address ${shown(address)} there is ${there.name} already.`);
  }
  return address;
}

/** Function 0 of the lowest slot nobody has. */
export function freeAddress(name: string, parts: readonly Part[]): PciAddress {
  for (let slot = 0; slot < SLOTS; slot++) {
    if (!parts.some(({ pci }) => pci?.slot === slot)) return { slot, function: 0 };
  }
  throw new Problem(`-device ${name}: all ${SLOTS} slots of the PCI bus are taken.`);
}

/** Refuse a function of a slot whose function 0 says that it is the only one. */
export function checkSlot(added: Part, parts: readonly Part[]): void {
  const { pci } = added;
  const others = parts.filter((each) => pci !== undefined && each.pci?.slot === pci.slot);
  const zero = [added, ...others].find((each) => each.pci?.function === 0);
  if (others.length === 0 || zero === undefined || isMultifunction(zero)) return;
  throw new Problem(`-device ${modelOf(added)}: ${zero.name} is the only function of its PCI slot.`);
}

function isMultifunction(part: Part): boolean {
  const state: Partial<PciFunctionState> = part.atReset();
  return ((state.config?.[PCI.headerType] ?? 0) & 0x80) !== 0;
}

const occupant = (address: PciAddress, parts: readonly Part[]): Part | undefined =>
  parts.find(({ pci }) => pci?.slot === address.slot && pci.function === address.function);

const shown = ({ slot, function: fn }: PciAddress): string => `${slot.toString(16).padStart(2, '0')}.${fn}`;

/** A range of I/O ports, and whose it is. */
interface Ports {
  readonly owner: string;
  readonly first: number;
  readonly last: number;
}

/** Refuse a device whose ports another has. */
export function checkPorts(added: Part, parts: readonly Part[]): void {
  const taken = [...KERNEL_PORTS.map(([owner, first, size]) => range(owner, first, size)), ...parts.flatMap(portsOf)];
  for (const ports of portsOf(added)) {
    if (ports.last > LAST_PORT) {
      throw new Problem(`-device ${modelOf(added)}: ports ${hex(ports)} go beyond the last one, 0xffff.`);
    }
    const other = taken.find(({ first, last }) => first <= ports.last && ports.first <= last);
    if (other === undefined) continue;
    throw new Problem(`-device ${modelOf(added)}: of ports ${hex(ports)} ${other.owner} has ${hex(other)}.`);
  }
}

const LAST_PORT = 0xffff;

const modelOf = ({ name }: Part): string => name.replace(/#\d+$/, '');

const range = (owner: string, first: number, size: number): Ports => ({ owner, first, last: first + size - 1 });

/** Ports that do not move. Where one device lies over another on purpose, the region says so by its priority. */
const portsOf = ({ name, bases, device }: Part): Ports[] =>
  device.regions.flatMap(({ space, length, priority }, index) => {
    const base = bases[index];
    return space !== 'io' || base === undefined || priority !== undefined ? [] : [range(name, base, length)];
  });

const hex = ({ first, last }: Ports): string =>
  first === last ? `0x${first.toString(16)}` : `0x${first.toString(16)}-0x${last.toString(16)}`;
