import type { PropertyValue } from '../devices/properties.ts';
import type { Base } from '../memory/sparse.ts';
import type { SmbiosSaid } from './smbios/said.ts';

/** A file's content with the name the guest may see (a multiboot kernel's argv[0]). */
export interface NamedImage {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** One `-device driver,property=value...`. Numbers are already numbers. */
export interface DeviceOption {
  readonly driver: string;
  /** What a person calls it, if they do. */
  readonly id?: string | undefined;
  readonly properties: Readonly<Record<string, PropertyValue>>;
}

/** `-boot`: what firmware is told of how to start. */
export interface BootOptions {
  /** Letters a to d and n, at most three; usually 'cad'. */
  readonly order?: string | undefined;
  readonly menu?: boolean | undefined;
  /** Milliseconds a menu waits. */
  readonly splashTime?: number | undefined;
  /** Milliseconds until firmware that found nothing tries again; -1: never. */
  readonly rebootTimeout?: number | undefined;
  /** Of what has a place in the order alone. */
  readonly strict?: boolean | undefined;
}

/** What QEMU's command line says of the machine, files already read. */
export interface MachineOptions {
  readonly machine: 'pc';
  /** `-m`, MiB. */
  readonly memory: number;
  /** `-smp`. */
  readonly smp: number;
  /** `-bios`. Without it the kernel is loaded directly and no firmware runs. */
  readonly bios?: NamedImage;
  readonly kernel?: NamedImage;
  readonly initrd?: NamedImage;
  /** Modules of a multiboot kernel behind the first, which is its `initrd`. */
  readonly modules?: readonly NamedImage[];
  readonly append?: string;
  /** `-cpu`, as QEMU spells it. Without it the guest sees all KVM supports. */
  readonly cpu?: string | undefined;
  /** `-device`, in order. */
  readonly devices: readonly DeviceOption[];
  /** How many `-serial` lines there are: COM1 up to COM4. */
  readonly serialLines: number;
  /** `-nodefaults`. */
  readonly noDefaults: boolean;
  /** Option ROMs handed to the firmware as fw_cfg files `genroms/NAME`, with their boot index or -1. */
  readonly optionRoms?: readonly (NamedImage & { readonly bootIndex: number })[];
  /** What `romfile=` gave devices, by the names of their parts. */
  readonly deviceRoms?: ReadonlyMap<string, Uint8Array>;
  /** Files that devices were made with, by the names of their parts and by what their setups call them. */
  readonly deviceFiles?: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
  readonly boot?: BootOptions | undefined;
  readonly smbios?: SmbiosSaid | undefined;
  /** `-fw_cfg`: files beside the machine's own, by their names. */
  readonly fwCfg?: readonly NamedImage[];
  /** What drives hold before anything is written, by `id`. One that is missing holds zeroes: a rerun knows none. */
  readonly disks?: ReadonlyMap<string, Base>;
  /** `-no-reboot`: a reset ends the run. */
  readonly noReboot?: boolean;
}
