import type { Costs } from '../events/costs.ts';
import type { DeviceModel } from './models.ts';
import type { DeviceOption } from './options.ts';

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

/** One device of a machine: where it sits and what its pins lead to. */
export interface PartConfig {
  readonly name: string;
  readonly model: DeviceModel;
  /** By region: where it lies, if neither a BAR nor the device itself places it. */
  readonly bases: readonly (number | undefined)[];
  /** Slot and function on PCI bus 0, for PCI functions. */
  readonly pci?: { readonly slot: number; readonly function: number };
  /** Pins not named lead nowhere. */
  readonly wires: Readonly<Record<string, Wire>>;
}

/** What a machine was made as: nothing that happens changes it. */
export interface MachineConfig {
  /** MiB. */
  readonly memory: number;
  readonly smp: number;
  readonly serialLines: number;
  readonly devices: readonly DeviceOption[];
  /** Firmware runs first; without it the kernel is loaded directly. */
  readonly firmware: boolean;
  /** A reset ends the run. */
  readonly noReboot: boolean;
  readonly nsPerTick: number;
  readonly costs: Costs;
  /** Ticks between digests of memory; 0: none. */
  readonly digestEvery: number;
  readonly parts: readonly PartConfig[];
}
