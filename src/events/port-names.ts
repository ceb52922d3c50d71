import { hex } from './schema.ts';

/** First and last port of a region of I/O space, and its name. */
type PortRange = readonly [first: number, last: number, name: string];

/**
 * What stands where on a `pc`, by the names of `info mtree`: what its board, its firmware or custom puts there. What a
 * PCI base address register places has no row.
 */
const PORTS: readonly PortRange[] = [
  [0x00, 0x07, 'dma-chan'],
  [0x08, 0x0f, 'dma-cont'],
  [0x20, 0x21, 'kvm-pic'],
  [0x40, 0x43, 'kvm-pit'],
  [0x60, 0x60, 'i8042-data'],
  [0x61, 0x61, 'pcspk'],
  [0x64, 0x64, 'i8042-cmd'],
  [0x70, 0x71, 'rtc'],
  [0x7e, 0x7f, 'kvmvapic'],
  [0x80, 0x80, 'ioport80'],
  [0x81, 0x83, 'dma-page'],
  [0x87, 0x87, 'dma-page'],
  [0x89, 0x8b, 'dma-page'],
  [0x8f, 0x8f, 'dma-page'],
  [0x92, 0x92, 'port92'],
  [0xa0, 0xa1, 'kvm-pic'],
  [0xb2, 0xb3, 'apm-io'],
  [0xc0, 0xcf, 'dma-chan'],
  [0xd0, 0xdf, 'dma-cont'],
  [0xe9, 0xe9, 'isa-debugcon'],
  [0xf0, 0xf0, 'ioportF0'],
  [0x170, 0x177, 'ide'],
  [0x1f0, 0x1f7, 'ide'],
  [0x2e8, 0x2ef, 'serial'],
  [0x2f8, 0x2ff, 'serial'],
  [0x376, 0x376, 'ide'],
  [0x378, 0x37f, 'parallel'],
  [0x3b4, 0x3b5, 'vga'],
  [0x3ba, 0x3ba, 'vga'],
  [0x3c0, 0x3cf, 'vga'],
  [0x3d4, 0x3d5, 'vga'],
  [0x3da, 0x3da, 'vga'],
  [0x3e8, 0x3ef, 'serial'],
  [0x3f1, 0x3f5, 'fdc'],
  [0x3f6, 0x3f6, 'ide'],
  [0x3f7, 0x3f7, 'fdc'],
  [0x3f8, 0x3ff, 'serial'],
  [0x4d0, 0x4d1, 'kvm-elcr'],
  [0x4f4, 0x4f4, 'direct-boot'],
  [0x501, 0x502, 'isa-debug-exit'],
  [0x510, 0x511, 'fwcfg'],
  [0x514, 0x51b, 'fwcfg.dma'],
  [0x600, 0x603, 'acpi-evt'],
  [0x604, 0x605, 'acpi-cnt'],
  [0x608, 0x60b, 'acpi-tmr'],
  [0x700, 0x73f, 'pm-smbus'],
  [0xcf8, 0xcfb, 'pci-conf-idx'],
  [0xcf9, 0xcf9, 'piix3-reset-control'],
  [0xcfc, 0xcff, 'pci-conf-data'],
  [0xae00, 0xae17, 'acpi-pci-hotplug'],
  [0xaf00, 0xaf1f, 'acpi-cpu-hotplug'],
  [0xafe0, 0xafe3, 'acpi-gpe0'],
];

const NAMES: ReadonlyMap<number, string> = new Map(
  PORTS.flatMap(([first, last, name]) =>
    Array.from({ length: last - first + 1 }, (_, at): [number, string] => [first + at, name]),
  ),
);

/** What usually answers at a port, by the name of its region; undefined: nothing of a `pc`. */
export const portName = (port: number): string | undefined => NAMES.get(port);

/** A port and, where a `pc` has something there, what. */
export function portText(port: number): string {
  const name = portName(port);
  return name === undefined ? `0x${hex(port)}` : `0x${hex(port)} (${name})`;
}
