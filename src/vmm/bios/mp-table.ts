import { little } from '../acpi/aml.ts';
import { checksum } from '../acpi/tables.ts';

/** What the table of processors and interrupts is made from. Intel MultiProcessor Specification 1.4, chapter 4. */
export interface MpOptions {
  readonly cpus: number;
  /** How many processors are cores of one package: a package is one entry, its first processor's. */
  readonly cpusPerPackage: number;
  /** EAX and EDX of CPUID leaf 1, as the first processor answers. */
  readonly processorId: readonly [eax: number, edx: number];
  readonly pciInterrupts: readonly PciInterrupt[];
}

/** An interrupt pin of a PCI slot and the line firmware led it to. */
export interface PciInterrupt {
  readonly slot: number;
  /** 1 to 4: INTA to INTD. */
  readonly pin: number;
  readonly line: number;
}

/** The configuration table. */
export function mpTable(options: MpOptions): Uint8Array {
  const entries = [
    ...processors(options),
    [BUS, PCI_BUS, ...ascii('PCI   ')],
    [BUS, ISA_BUS, ...ascii('ISA   ')],
    [IOAPIC, IOAPIC_ID, IOAPIC_VERSION, ENABLED, ...little(0xfec00000, 4)],
    ...pciSources(options.pciInterrupts),
    ...isaSources(),
    source(LOCAL_INTERRUPT, EXTINT, { bus: ISA_BUS, irq: 0, apic: 0, pin: 0 }),
    source(LOCAL_INTERRUPT, NMI, { bus: ISA_BUS, irq: 0, apic: ALL_LAPICS, pin: 1 }),
  ];
  const body = entries.flat();
  const table = Uint8Array.from([
    ...ascii('PCMP'),
    ...little(HEADER_LENGTH + body.length, 2),
    SPECIFICATION_4,
    0,
    ...ascii('BOCHSCPU'),
    ...ascii('0.1         '),
    ...little(0, 6),
    ...little(entries.length, 2),
    ...little(0xfee00000, 4),
    ...little(0, 4),
    ...body,
  ]);
  table[TABLE_CHECKSUM] = checksum(table);
  return table;
}

/** The structure a kernel looks for, for a configuration table at `table`. 4.1. */
export function mpFloatingPointer(table: number): Uint8Array {
  const pointer = Uint8Array.from([...ascii('_MP_'), ...little(table, 4), 1, SPECIFICATION_4, 0, ...little(0, 5)]);
  pointer[POINTER_CHECKSUM] = checksum(pointer);
  return pointer;
}

function processors({ cpus, cpusPerPackage, processorId: [signature, features] }: MpOptions): number[][] {
  const entries: number[][] = [];
  // APIC IDs of a package's processors fill a power of two.
  const step = 2 ** Math.ceil(Math.log2(cpusPerPackage));
  for (let id = 0; id < cpus; id += step) {
    const flags = id === 0 ? ENABLED | BOOTSTRAP : ENABLED;
    const told = [...little(signature, 4), ...little(features, 4), ...little(0, 8)];
    entries.push([PROCESSOR, id, LAPIC_VERSION, flags, ...told]);
  }
  return entries;
}

/** Each pin of each slot once, on the input of the line it was led to. */
function pciSources(interrupts: readonly PciInterrupt[]): number[][] {
  const pins = new Map<number, number>();
  for (const { slot, pin, line } of interrupts) {
    const irq = (slot << 2) | (pin - 1);
    if (!pins.has(irq)) pins.set(irq, line);
  }
  return [...pins].map(([irq, line]) =>
    source(INTERRUPT, VECTORED, { bus: PCI_BUS, irq, apic: IOAPIC_ID, pin: line }, ACTIVE_HIGH),
  );
}

/** The ISA lines that PCI does not have. The timer is on input 2, where the cascade's line would be. */
function isaSources(): number[][] {
  return ISA_LINES.map((irq) =>
    source(INTERRUPT, VECTORED, { bus: ISA_BUS, irq, apic: IOAPIC_ID, pin: irq === 0 ? 2 : irq }),
  );
}

interface Assignment {
  readonly bus: number;
  readonly irq: number;
  readonly apic: number;
  readonly pin: number;
}

const source = (entry: number, type: number, { bus, irq, apic, pin }: Assignment, flags = 0): number[] => [
  ...[entry, type, ...little(flags, 2)],
  ...[bus, irq, apic, pin],
];

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

const HEADER_LENGTH = 44;
const TABLE_CHECKSUM = 7;
const POINTER_CHECKSUM = 10;
const SPECIFICATION_4 = 4;
/** Types of entries. */
const PROCESSOR = 0;
const BUS = 1;
const IOAPIC = 2;
const INTERRUPT = 3;
const LOCAL_INTERRUPT = 4;
/** Types of interrupts. */
const VECTORED = 0;
const NMI = 1;
const EXTINT = 3;
const ENABLED = 1;
const BOOTSTRAP = 2;
const ACTIVE_HIGH = 1;
const PCI_BUS = 0;
const ISA_BUS = 1;
const IOAPIC_ID = 0;
const IOAPIC_VERSION = 0x11;
const LAPIC_VERSION = 0x14;
const ALL_LAPICS = 0xff;
const ISA_LINES = [0, 1, 3, 4, 6, 7, 8, 12, 13, 14, 15] as const;
