/** Where an output pin of a device leads. */
export type Wire =
  /** A global system interrupt of the in-kernel interrupt controllers. */
  | { readonly to: 'gsi'; readonly gsi: number }
  /** INTA# to INTD# of a slot, routed by the ISA bridge. */
  | { readonly to: 'intx'; readonly slot: number; readonly pin: number }
  /** The in-kernel PIT's channel 0: low takes its interrupt line away. */
  | { readonly to: 'pit' }
  /** An input pin of another device. */
  | { readonly to: 'input'; readonly part: string; readonly name: string };

/** Pins to wires; pins not named lead nowhere. */
export type Wires = Readonly<Record<string, Wire>>;

/** A wire to a global system interrupt: an ISA line's number, or that of an IOAPIC pin. */
export const gsi = (number: number): Wire => ({ to: 'gsi', gsi: number });

/** Pins `prefix0`, `prefix1` ... to the global system interrupts of the same number. */
export function gsiWires(prefix: string, count: number): Record<string, Wire> {
  return Object.fromEntries(Array.from({ length: count }, (_, line) => [`${prefix}${line}`, gsi(line)]));
}
