import type { Region } from '../../devices/device.ts';
import { pamSegments, smramControl } from '../../devices/i440fx/index.ts';
import type { Board, Part } from '../board/machine.ts';
import {
  alias,
  container,
  io,
  type IoHandler,
  type MemoryRegion,
  ram,
  rom,
  unserved,
  WHOLE_SPACE,
} from '../memory/region.ts';
import { HOST_BRIDGE } from '../board/pci-parts.ts';
import { regionBaseOf } from '../memory/region-base.ts';
import { KERNEL_PORTS } from './kernel-ports.ts';

/** How far the board is assembled; QEMU commits memory after each step. */
export type Assembly = 'ram' | 'firmware' | 'complete';

/** The guest-physical tree of QEMU's `pc` machine for the state the machine is in. */
export function systemMemory(board: Board, assembly: Assembly = 'complete'): MemoryRegion {
  const { ram: layout, hva } = board;
  const pcRam = ram('pc.ram', layout.total, hva.ram);
  const low = alias('ram-below-4g', pcRam, 0, layout.below4g);
  const high =
    layout.above4g === 0 ? [] : [alias('ram-above-4g', pcRam, layout.below4g, layout.above4g, { base: 2 ** 32 })];
  if (assembly === 'ram') return container('system', WHOLE_SPACE, [low, ...high]);
  const pci = container('pci', WHOLE_SPACE, pciChildren(board, assembly), { priority: -1 });
  if (assembly === 'firmware') return container('system', WHOLE_SPACE, [low, ...high, pci]);
  return container('system', WHOLE_SPACE, [
    low,
    ...high,
    pci,
    ...legacyWindows(board, pcRam, pci),
    unserved('kvm-ioapic', 0x1000, 'zero', { base: 0xfec00000 }),
    ...placedRegions(board, 'memory', (part) => part.pci === undefined),
    unserved('kvm-apic-msi', 0x100000, 'ones', { base: 0xfee00000, priority: 4096 }),
  ]);
}

/** The I/O port tree. What the kernel serves itself is shown as leaves; a port nobody answers reads all ones. */
export function systemIo(board: Board): MemoryRegion {
  return unserved('io', 0x10000, 'ones', {}, [
    ...KERNEL_PORTS.map(([name, base, size]) => unserved(name, size, 'zero', { base })),
    ...placedRegions(board, 'io', () => true),
  ]);
}

function pciChildren(board: Board, assembly: Assembly): MemoryRegion[] {
  const bios = biosRegions(board);
  if (assembly === 'firmware') return bios;
  return [
    rom('pc.rom', OPTION_ROM_SIZE, board.hva.optionRom, { base: 0xc0000, priority: 1 }),
    ...bios,
    ...placedRegions(board, 'memory', (part) => part.pci !== undefined),
  ];
}

function biosRegions(board: Board): MemoryRegion[] {
  const size = board.options.bios?.bytes.length ?? RESET_CODE_SIZE;
  const bios = rom('pc.bios', size, board.hva.bios, { base: 2 ** 32 - size });
  const shown = Math.min(size, ISA_BIOS_SIZE);
  const place = { base: 0x100000 - shown, priority: 1, readonly: true };
  return [alias('isa-bios', bios, size - shown, shown, place), bios];
}

/** SMRAM's window while it is closed, and the thirteen PAM segments. 82441FX data sheet, 3.2.15 and 3.2.19. */
function legacyWindows(board: Board, pcRam: MemoryRegion, pci: MemoryRegion): MemoryRegion[] {
  const bridge = board.host.state.devices[HOST_BRIDGE];
  const windows: MemoryRegion[] = [];
  if (!smramControl(bridge).open) {
    windows.push(alias('smram-region', pci, 0xa0000, 0x20000, { base: 0xa0000, priority: 1 }));
  }
  for (const { base, length, readsRam, writesRam } of pamSegments(bridge)) {
    const place = { base, priority: 1 };
    if (readsRam)
      windows.push(alias(writesRam ? 'pam-ram' : 'pam-rom', pcRam, base, length, { ...place, readonly: !writesRam }));
    // Deviation: reads from PCI with writes to RAM is memory both ways, as in QEMU; KVM cannot split them.
    else windows.push(alias('pam-pci', writesRam ? pcRam : pci, base, length, place));
  }
  return windows;
}

function placedRegions(board: Board, space: 'io' | 'memory', wanted: (part: Part) => boolean): MemoryRegion[] {
  return board.parts.flatMap((part, index) =>
    wanted(part)
      ? part.device.regions.flatMap((region, at) => {
          const base = region.space === space ? regionBaseOf(board.host.state, part, at) : undefined;
          if (base === undefined) return [];
          const place = { base, priority: region.priority ?? 0 };
          const hva = board.hva.roms.get(romName(part, at));
          if (hva !== undefined) return [rom(region.name, region.length, hva, place)];
          return [io(region.name, region.length, handlerOf(region, index, at), place)];
        })
      : [],
  );
}

const handlerOf = (region: Region, part: number, at: number): IoHandler => ({
  part,
  region: at,
  minAccess: region.minAccess,
  maxAccess: region.maxAccess,
  leastAccess: region.leastAccess ?? 1,
});

/** A region of a part that is read-only memory, by name. */
export const romName = ({ name }: Part, region: number): string => `${name}.${region}`;

/** Size of what lies at the reset vector when there is no firmware. */
const RESET_CODE_SIZE = 0x10000;
/** C0000-DFFFF: where option ROMs lie before firmware copies them. */
export const OPTION_ROM_SIZE = 0x20000;
/** As much of the firmware as shows below 1 MiB. */
const ISA_BIOS_SIZE = 0x20000;
