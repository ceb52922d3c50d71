import { Problem } from '../../base/problem.ts';
import type { IrqchipState, PicChip } from '../../kvm/irqchip/state.ts';
import type { GuestView } from '../../machine/guest-view.ts';
import { deliveryMode, hex, listed, setBits } from './interrupt-words.ts';
import { viewOf } from './view.ts';

/** The interrupt controllers the kernel emulates. */
export function irqchipOf({ machine }: GuestView): IrqchipState {
  const irqchip = machine.state.kvm.vm?.irqchip;
  if (irqchip === undefined) throw new Problem('There is no in-kernel interrupt controller here.');
  return irqchip;
}

const PLAIN = ['irr', 'imr', 'isr', 'priorityAdd', 'readRegSelect', 'elcr', 'specialFullyNested', 'irqBase'] as const;

type PicSeen = Pick<PicChip, (typeof PLAIN)[number]>;

/** A redirection entry. Data sheet 82093AA, 3.2.4. */
interface PinSeen {
  readonly pin: number;
  readonly low: number;
  readonly high: number;
  readonly destination: number;
  readonly vector: number;
  readonly isActiveLow: boolean;
  readonly isLevel: boolean;
  readonly isMasked: boolean;
  readonly delivery: string;
  readonly isLogical: boolean;
}

interface ControllersSeen {
  /** Master, slave. */
  readonly pics: readonly PicSeen[];
  readonly ioapic: {
    readonly id: number;
    readonly select: number;
    readonly pins: readonly PinSeen[];
    /** Pins that are asserted. */
    readonly irr: readonly number[];
    /** Pins whose interrupt a local APIC has not ended. */
    readonly remoteIrr: readonly number[];
  };
}

function controllersSeen({ pic, ioapic }: IrqchipState): ControllersSeen {
  const pins = ioapic.redirLow.map((low, pin) => pinSeen(pin, low, ioapic.redirHigh[pin] as number));
  return {
    pics: pic.chips.map((chip) => Object.fromEntries(PLAIN.map((name) => [name, chip[name]])) as unknown as PicSeen),
    ioapic: {
      id: ioapic.id,
      select: ioapic.ioregsel,
      pins,
      irr: setBits(ioapic.irr),
      remoteIrr: pins.flatMap(({ pin, low }) => ((low & 0x4000) === 0 ? [] : [pin])),
    },
  };
}

function pinSeen(pin: number, low: number, high: number): PinSeen {
  return {
    pin,
    low,
    high,
    destination: high >>> 24,
    vector: low & 0xff,
    isActiveLow: (low & 0x2000) !== 0,
    isLevel: (low & 0x8000) !== 0,
    isMasked: (low & 0x10000) !== 0,
    delivery: deliveryMode(low),
    isLogical: (low & 0x800) !== 0,
  };
}

/** As QEMU's monitor prints them for `info pic`. */
function controllersText({ pics, ioapic }: ControllersSeen): string {
  return [
    ...pics.map(picText),
    `ioapic0: ver=0x11 id=0x${hex(ioapic.id, 2)} sel=0x${hex(ioapic.select, 2)}`,
    ...ioapic.pins.map(pinText),
    `  IRR  ${listed(ioapic.irr)}`,
    `  Remote IRR  ${listed(ioapic.remoteIrr)}`,
  ].join('\n');
}

function picText(chip: PicSeen, index: number): string {
  const registers = `irr=${hex(chip.irr, 2)} imr=${hex(chip.imr, 2)} isr=${hex(chip.isr, 2)} hprio=${chip.priorityAdd}`;
  const modes = `rr_sel=${chip.readRegSelect} elcr=${hex(chip.elcr, 2)} fnm=${chip.specialFullyNested}`;
  return `pic${index}: ${registers} irq_base=${hex(chip.irqBase, 2)} ${modes}`;
}

function pinText({ pin, low, high, ...seen }: PinSeen): string {
  const words = [
    `  pin ${String(pin).padEnd(2)} 0x${hex(high, 8)}${hex(low, 8)}`,
    `dest=${hex(seen.destination, 1)}`,
    `vec=${String(seen.vector).padEnd(3)}`,
    seen.isActiveLow ? 'active-lo' : 'active-hi',
    seen.isLevel ? 'level' : 'edge ',
    seen.isMasked ? 'masked' : '      ',
    seen.delivery.padEnd(7),
    seen.isLogical ? 'logical' : 'physical',
  ];
  return words.join(' ').trimEnd();
}

export const PIC = viewOf({
  usage: 'pic',
  help: 'PIC pair and IOAPIC',
  also: ['info pic'],
  look: ({ view }) => controllersSeen(irqchipOf(view)),
  print: controllersText,
});
