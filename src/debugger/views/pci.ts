import { getConfig, PCI, placeOfBar } from '../../devices/pci/index.ts';
import { hex } from './interrupt-words.ts';
import { type FunctionSeen, functionsOf } from './parts.ts';
import { className } from './pci-classes.ts';
import { viewOf } from './view.ts';

/** A base address register as it places its region. */
export interface BarSeen {
  readonly index: number;
  readonly space: 'io' | 'memory';
  readonly width: 32 | 64;
  readonly prefetchable: boolean;
  readonly size: number;
  /** Undefined: nothing decodes it. */
  readonly address: number | undefined;
}

/** A function of the PCI bus. */
export interface PciSeen {
  readonly name: string;
  readonly id: string;
  readonly driver: string;
  readonly slot: number;
  readonly function: number;
  readonly vendor: number;
  readonly device: number;
  readonly classCode: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  /** 1: INTA. 0: it has no pin. */
  readonly interruptPin: number;
  readonly interruptLine: number;
  readonly bars: readonly BarSeen[];
}

/** A function's header. */
export function pciSeen({ part, pci, state, driver, id }: FunctionSeen): PciSeen {
  const { config } = state;
  const word = (at: number): number => getConfig(config, at, 2);
  return {
    name: part.name,
    id,
    driver,
    slot: part.pci!.slot,
    function: part.pci!.function,
    vendor: word(PCI.vendorId),
    device: word(PCI.deviceId),
    classCode: getConfig(config, PCI.classCode + 1, 2),
    subsystemVendor: word(PCI.subsystemVendorId),
    subsystem: word(PCI.subsystemId),
    interruptPin: config[PCI.interruptPin] ?? 0,
    interruptLine: config[PCI.interruptLine] ?? 0,
    bars: pci.bars.map((bar) => ({
      index: bar.index,
      space: bar.space,
      width: bar.width ?? 32,
      prefetchable: bar.prefetchable ?? false,
      size: bar.size,
      address: placeOfBar(state, bar),
    })),
  };
}

/** What nothing decodes, QEMU 7.2 has at the last address there is. */
const UNMAPPED = 2n ** 64n - 1n;

/** First and last address of a BAR, as numbers of 64 bits. */
export function barRange({ address, size }: BarSeen): readonly [first: bigint, last: bigint] {
  const first = address === undefined ? UNMAPPED : BigInt(address);
  return [first, BigInt.asUintN(64, first + BigInt(size) - 1n)];
}

function barText(bar: BarSeen): string {
  const digits = bar.space === 'io' ? 4 : 8;
  const [first, last] = barRange(bar).map((each) => `0x${each.toString(16).padStart(digits, '0')}`);
  const what = bar.space === 'io' ? 'I/O' : `${bar.width} bit${bar.prefetchable ? ' prefetchable' : ''} memory`;
  return `      BAR${bar.index}: ${what} at ${first} [${last}].`;
}

/** As QEMU's monitor prints it for `info pci`. */
function functionText(seen: PciSeen): string[] {
  const { slot, function: fn, vendor, device, classCode, subsystemVendor, subsystem, bars, id } = seen;
  const what = className(classCode) ?? `Class ${String(classCode).padStart(4, '0')}`;
  const pin = String.fromCharCode('A'.charCodeAt(0) + seen.interruptPin - 1);
  return [
    `  Bus  0, device ${String(slot).padStart(3)}, function ${fn}:`,
    `    ${what}: PCI device ${hex(vendor, 4)}:${hex(device, 4)}`,
    `      PCI subsystem ${hex(subsystemVendor, 4)}:${hex(subsystem, 4)}`,
    ...(seen.interruptPin === 0 ? [] : [`      IRQ ${seen.interruptLine}, pin ${pin}`]),
    ...[...bars].sort((one, other) => one.index - other.index).map(barText),
    `      id "${id}"`,
  ];
}

export const PCI_FUNCTIONS = viewOf({
  usage: 'pci',
  help: 'functions of the PCI bus and where their registers are',
  also: ['info pci'],
  look: ({ view }): readonly PciSeen[] => functionsOf(view).map(pciSeen),
  print: (functions) => functions.flatMap(functionText).join('\n'),
});
