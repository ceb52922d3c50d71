import { PCI, pirqOf } from '../../devices/pci/index.ts';
import { placeAcpi } from '../acpi/tables.ts';
import { interruptRouting } from '../bios/interrupt-routing.ts';
import { mpFloatingPointer, mpTable, type PciInterrupt } from '../bios/mp-table.ts';
import { type Placed, placedBelow, TABLES_END } from '../bios/segment.ts';
import type { Machine } from '../board/machine.ts';
import { type PciPart, pciParts } from '../board/pci-parts.ts';
import { withHyperThreading } from '../cpu/cpuid.ts';
import { ACPI_AREA } from '../loaders/e820.ts';
import { placeSmbios } from '../smbios/tables.ts';
import { machineAcpi, machineSmbios } from './machine-tables.ts';

/** The tables a kernel finds where no firmware makes them. */
export interface BiosTables {
  readonly placed: readonly Placed[];
  /** Where the ACPI root pointer lies. */
  readonly rsdp: number;
}

/** Lay out what SeaBIOS would: ACPI's tables at the end of low memory, others and what leads to them in its segment. */
export function biosTables(machine: Machine): BiosTables {
  const { options, board } = machine;
  const base = board.ram.below4g - ACPI_AREA;
  const routing = placedBelow(TABLES_END, interruptRouting());
  const mp = placedBelow(routing.address, processorTable(machine));
  const mpPointer = placedBelow(mp.address, mpFloatingPointer(mp.address));
  const told = machineSmbios(options, board.processorId, { bios: true });
  const isShort = told.tables.length <= SMBIOS_IN_SEGMENT;
  const smbios = isShort
    ? placedBelow(mpPointer.address, told.tables)
    : { address: base + SMBIOS_OFFSET, bytes: told.tables };
  const anchorEnd = isShort ? smbios.address : mpPointer.address;
  const anchor = placedBelow(anchorEnd, placeSmbios(told, smbios.address).anchor);
  const acpi = placeAcpi(machineAcpi(options), base);
  const root = placedBelow(anchor.address, acpi.rsdp);
  const tables = { address: base, bytes: acpi.tables };
  return { placed: [tables, routing, mp, mpPointer, smbios, anchor, root], rsdp: root.address };
}

function processorTable(machine: Machine): Uint8Array {
  const { options, board } = machine;
  const [signature, features] = board.processorId;
  return mpTable({
    cpus: options.smp,
    cpusPerPackage: options.smp,
    processorId: [signature, withHyperThreading(features, options.smp)],
    pciInterrupts: pciInterrupts(machine),
  });
}

/** Functions' interrupt pins in the order of their addresses. */
function pciInterrupts(machine: Machine): PciInterrupt[] {
  return pciParts(machine)
    .filter((each) => pinOf(each) !== 0)
    .sort((a, b) => devfnOf(a) - devfnOf(b))
    .map((each) => ({ slot: each.part.pci!.slot, pin: pinOf(each), line: lineOf(each) }));
}

/** Slot and function as configuration addresses carry them. */
export const devfnOf = ({ part }: PciPart): number => (part.pci!.slot << 3) | part.pci!.function;

/** The interrupt pin of a function: 1 to 4, or 0 when it has none. */
export const pinOf = ({ state }: PciPart): number => state.config[PCI.interruptPin]!;

/** The line SeaBIOS leads a function's pin to. */
export const lineOf = (each: PciPart): number =>
  devfnOf(each) === POWER_MANAGEMENT ? SCI : PIRQ_ROUTES[pirqOf(each.part.pci!.slot, pinOf(each))]!;

/** The function whose interrupt is ACPI's. */
export const POWER_MANAGEMENT = (1 << 3) | 3;
/** SeaBIOS spreads PIRQA-D over these two lines. */
export const PIRQ_ROUTES = [10, 10, 11, 11] as const;
const SCI = 9;
/** As long SMBIOS tables lie in the BIOS segment; longer ones behind ACPI's. */
const SMBIOS_IN_SEGMENT = 600;
const SMBIOS_OFFSET = 0x10000;
