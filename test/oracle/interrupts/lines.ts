import type { EventOf } from '../../../src/events/vocabulary.ts';

/** What made something happen, as the order of events has it. */
export interface Mover {
  /** The event that moved a line, sent a message or let a timer fire. */
  readonly seq: number;
  /** What its thread acted on: a VM exit, an input, a timer's fire. */
  readonly root: number;
  /** Who that was, for a person. */
  readonly name: string;
}

const IOAPIC = 2;
const ISA_LINES = 16;
const IOAPIC_PINS = 24;

/** An input of the master PIC (0), the slave (1) or the IOAPIC (2). */
interface Pin {
  readonly chip: number;
  readonly pin: number;
}

/** KVM's table before user space sets its own. Linux arch/x86/kvm/irq_comm.c: default_routing. */
const defaultPins = (gsi: number): Pin[] => [
  ...(gsi < IOAPIC_PINS ? [{ chip: IOAPIC, pin: gsi }] : []),
  ...(gsi < ISA_LINES ? [{ chip: gsi >> 3, pin: gsi & 7 }] : []),
];

/** struct kvm_irq_routing_entry: gsi, type, flags, pad, then the chip and its pin; type 1 is a pin. */
const ROUTE_BYTES = 48;
const ROUTE_TO_PIN = 1;

function pinsOf(entries: Uint8Array): Map<number, Pin[]> {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const pins = new Map<number, Pin[]>();
  for (let at = 0; at < entries.length; at += ROUTE_BYTES) {
    if (view.getUint32(at + 4, true) !== ROUTE_TO_PIN) continue;
    const gsi = view.getUint32(at, true);
    const pin = { chip: view.getUint32(at + 16, true), pin: view.getUint32(at + 20, true) };
    pins.set(gsi, [...(pins.get(gsi) ?? []), pin]);
  }
  return pins;
}

const nameOf = ({ chip, pin }: Pin): string => `${chip}.${pin}`;

/** The wires between GSIs and inputs, who drives each, and who made it high. */
export class Lines {
  private routes: Map<number, Pin[]> | undefined;
  private readonly drivers = new Map<string, number>();
  private readonly raisers = new Map<string, Mover>();

  /** KVM_SET_GSI_ROUTING. */
  rewire({ entries }: EventOf<'ioctl:KVM_SET_GSI_ROUTING'>): void {
    this.routes = pinsOf(entries);
  }

  /** One of its sources drives a GSI: an input is high while any does. */
  drive({ gsi, level, irq_source_id: source }: EventOf<'kvm_set_irq'>, mover: Mover): void {
    for (const pin of this.pins(gsi)) {
      const name = nameOf(pin);
      const before = this.drivers.get(name) ?? 0;
      const after = level > 0 ? before | (1 << source) : before & ~(1 << source);
      this.drivers.set(name, after);
      if (before === 0 && after !== 0) this.raisers.set(name, mover);
    }
  }

  /** Whether a GSI is wired to this input. */
  leadsTo(gsi: number, chip: number, pin: number): boolean {
    return this.pins(gsi).some((each) => each.chip === chip && each.pin === pin);
  }

  isHigh(chip: number, pin: number): boolean {
    return (this.drivers.get(nameOf({ chip, pin })) ?? 0) !== 0;
  }

  /** Who made an input high that still is, or was the last to. */
  raiserOf(chip: number, pin: number): Mover | undefined {
    return this.raisers.get(nameOf({ chip, pin }));
  }

  private pins(gsi: number): readonly Pin[] {
    return this.routes === undefined ? defaultPins(gsi) : (this.routes.get(gsi) ?? []);
  }
}
