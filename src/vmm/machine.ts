import type { Device, Effects } from '../devices/device.ts';
import type { Kvm } from '../kvm/api.ts';
import type { VmmHost } from './host.ts';
import type { AddressSpace } from './memory/address-space.ts';
import type { MemorySlot } from './memory/slots.ts';
import type { MachineOptions } from './options.ts';
import type { ProcessorId } from './pc/machine-tables.ts';
import type { RamLayout } from './pc/ram-layout.ts';

/** A device model of whatever state; only the machine's own tables pair models with their states. */
export type AnyDevice = Device<object>;

/** Where an output pin of a device leads. */
export type Wire =
  /** A global system interrupt of the in-kernel interrupt controllers. */
  | { readonly to: 'gsi'; readonly gsi: number }
  /** INTA# of a slot, routed by the ISA bridge. */
  | { readonly to: 'intx'; readonly slot: number; readonly pin: number }
  /** The in-kernel PIT's channel 0: low takes its interrupt line away. */
  | { readonly to: 'pit' }
  /** An input pin of another device. */
  | { readonly to: 'input'; readonly part: string; readonly name: string };

/** One device of a machine: its model, where it sits and what its pins lead to. */
export interface Part {
  readonly name: string;
  readonly device: AnyDevice;
  /** State at power-on. */
  readonly atReset: () => object;
  /** Bases of regions that lie elsewhere than the model says, by region index. */
  readonly bases?: Readonly<Record<number, number>>;
  /** Slot and function on PCI bus 0, for PCI functions. */
  readonly pci?: { readonly slot: number; readonly function: number };
  /** Pins not named lead nowhere. */
  readonly wires: Readonly<Record<string, Wire>>;
}

/** File descriptors of the virtual machine. */
export interface VmFds {
  readonly kvm: number;
  readonly vm: number;
  readonly vcpus: readonly number[];
}

/** A device's eventfd, and the writes KVM signals to it now. */
export interface BoundEventfd {
  fd: number;
  place: { addr: number; size: number; pio: boolean; match: number | undefined } | undefined;
}

/** Everything of QEMU's half that can influence the future. Plain; what follows from it is rebuilt. */
export interface VmmState {
  /** State of each device by the name of its part. */
  devices: Record<string, object>;
  /** KVM memory slots in use. */
  slots: MemorySlot[];
  /** Output pins that are high, as `part.pin`: true. */
  pins: Record<string, boolean>;
  /** Eventfds of devices that have one, by the name of the part. */
  eventfds: Record<string, BoundEventfd>;
  /** Who asked for a reset that has not happened yet. */
  resetBy: string | undefined;
  /** The run is over: the machine is off, or a device ended it. */
  stopped: boolean;
}

/** Host addresses of the machine's memory. */
export interface HostRanges {
  readonly ram: number;
  readonly bios: number;
  readonly optionRom: number;
}

/** A machine while it runs: its parts, its state, and what is derived from both. */
export interface Machine {
  readonly kvm: Kvm;
  readonly host: VmmHost;
  readonly options: MachineOptions;
  readonly ram: RamLayout;
  readonly parts: readonly Part[];
  readonly effects: readonly Effects[];
  readonly hva: HostRanges;
  readonly fds: VmFds;
  readonly processorId: ProcessorId;
  state: VmmState;
  /** Derived: the guest-physical address space. */
  memory: AddressSpace;
  /** Derived: the I/O ports. */
  io: AddressSpace;
  /** The vCPU being served, for the trace; -1 is the main loop. */
  cpu: number;
}
