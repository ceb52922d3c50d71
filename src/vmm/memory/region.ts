import type { Hva } from '../../base/units.ts';

/** Which device register range answers an I/O leaf. */
export interface IoHandler {
  /** Index of the device in the machine's list of parts. */
  readonly part: number;
  /** Index of the range in the device's `regions`. */
  readonly region: number;
  readonly minAccess: number;
  readonly maxAccess: number;
  /** Narrower accesses read zero and write nothing. */
  readonly leastAccess: number;
}

/**
 * One node of the tree a machine's address spaces are drawn from. QEMU docs/devel/memory.rst.
 * Leaves are `ram`, `rom` and `io`; a `container` holds children; an `alias` shows part of another node.
 */
export interface MemoryRegion {
  readonly name: string;
  readonly kind: 'container' | 'ram' | 'rom' | 'io' | 'alias';
  /** Offset in the parent; for roots, where an address space puts it. */
  readonly base: number;
  readonly size: number;
  readonly priority: number;
  /** Reads go through, writes do not: a ROM, or an alias that write-protects what it shows. */
  readonly readonly: boolean;
  readonly children: readonly MemoryRegion[];
  /** Host virtual address of offset 0, of `ram` and `rom`. */
  readonly hva?: Hva;
  /** Undefined for an `io` leaf that the kernel serves, or nobody. */
  readonly handler?: IoHandler;
  /** Of an `io` leaf without handler: it reads all ones, otherwise zero. */
  readonly readsOnes?: boolean;
  readonly target?: MemoryRegion;
  readonly targetOffset?: number;
}

interface Placement {
  readonly base?: number;
  readonly priority?: number;
}

/** The size of a 64-bit address space. */
export const WHOLE_SPACE = 2 ** 64;

/** A region that only holds others. */
export const container = (
  name: string,
  size: number,
  children: readonly MemoryRegion[],
  place: Placement = {},
): MemoryRegion => ({ ...leaf(name, 'container', size, place), children });

/** Random-access memory backed by host memory at `hva`. */
export const ram = (name: string, size: number, hva: Hva, place: Placement = {}): MemoryRegion => ({
  ...leaf(name, 'ram', size, place),
  hva,
});

/** Read-only memory backed by host memory at `hva`. */
export const rom = (name: string, size: number, hva: Hva, place: Placement = {}): MemoryRegion => ({
  ...leaf(name, 'rom', size, place),
  hva,
  readonly: true,
});

/** Registers: accesses are calls. */
export const io = (name: string, size: number, handler: IoHandler, place: Placement = {}): MemoryRegion => ({
  ...leaf(name, 'io', size, place),
  handler,
});

/** Registers that the kernel serves, or nobody: what comes to user space all the same reads zero, or all ones. */
export const unserved = (
  name: string,
  size: number,
  reads: 'zero' | 'ones',
  place: Placement = {},
  children: readonly MemoryRegion[] = [],
): MemoryRegion => ({
  ...leaf(name, 'io', size, place),
  children,
  readsOnes: reads === 'ones',
});

/** A window of `size` bytes onto `target` from `targetOffset`. */
export const alias = (
  name: string,
  target: MemoryRegion,
  targetOffset: number,
  size: number,
  place: Placement & { readonly readonly?: boolean } = {},
): MemoryRegion => ({
  ...leaf(name, 'alias', size, place),
  readonly: place.readonly ?? false,
  target,
  targetOffset,
});

function leaf(name: string, kind: MemoryRegion['kind'], size: number, place: Placement): MemoryRegion {
  return { name, kind, base: place.base ?? 0, size, priority: place.priority ?? 0, readonly: false, children: [] };
}

/** Children as they cover one another: highest priority first, among equals the last added first. */
export function inRenderOrder(children: readonly MemoryRegion[]): readonly MemoryRegion[] {
  return [...children].reverse().sort((a, b) => b.priority - a.priority);
}
