import type { FlatRange } from './flat-view.ts';
import { type MemoryRegion, WHOLE_SPACE } from './region.ts';

/** A region as `info mtree` shows it. */
export interface RegionSeen {
  readonly name: string;
  /** Of the address space, or of the region an alias leads to. */
  readonly start: number;
  readonly size: number;
  /** How deep it lies in the tree; 1 is the root. */
  readonly depth: number;
  readonly priority: number;
  readonly kind: 'ram' | 'rom' | 'i/o';
  /** What an alias shows, and from where. */
  readonly alias?: { readonly of: string; readonly start: number };
}

/** An address space, or a region that aliases lead to, with the regions in it in the order they are looked up. */
export interface MemoryTree {
  readonly what: 'address-space' | 'memory-region';
  readonly name: string;
  readonly regions: readonly RegionSeen[];
}

/** An address space and, one by one, what its aliases lead to. */
export function memoryTrees(addressSpace: string, root: MemoryRegion): MemoryTree[] {
  const targets: MemoryRegion[] = [];
  const trees: MemoryTree[] = [{ what: 'address-space', name: addressSpace, regions: regionsOf(root, 0, 1, targets) }];
  for (const target of targets) {
    trees.push({ what: 'memory-region', name: target.name, regions: regionsOf(target, 0, 1, targets) });
  }
  return trees;
}

/** A tree as QEMU's monitor prints it for `info mtree`: its regions indented. */
export const treeText = ({ what, name, regions }: MemoryTree): string =>
  [`${what}: ${name}`, ...regions.map(regionText)].join('\n');

function regionText({ name, start, size, depth, priority, kind, alias }: RegionSeen): string {
  const head = `${'  '.repeat(depth)}${span(start, size)} (prio ${priority}, ${kind}): `;
  return alias === undefined ? `${head}${name}` : `${head}alias ${name} @${alias.of} ${span(alias.start, size)}`;
}

/** The flat view as QEMU's monitor prints it for `info mtree -f`. */
export function describeFlatView(addressSpace: string, rootName: string, view: readonly FlatRange[]): string {
  const lines = view.map((range) => {
    const offset = range.offset === 0 ? '' : ` @${address(range.offset)}`;
    const kind = kindOf(range.leaf, range.readonly);
    return `  ${span(range.start, range.size)} (prio ${range.leaf.priority}, ${kind}): ${range.leaf.name}${offset}`;
  });
  return [`AS "${addressSpace}", root: ${rootName}`, ` Root memory region: ${rootName}`, ...lines].join('\n');
}

function regionsOf(region: MemoryRegion, base: number, depth: number, targets: MemoryRegion[]): RegionSeen[] {
  const { name, size, priority } = region;
  const start = base + region.base;
  const seen = { name, start, size, depth, priority };
  if (region.kind === 'alias') {
    const target = region.target!;
    if (!targets.some((known) => known.name === target.name)) targets.push(target);
    const alias = { of: target.name, start: region.targetOffset! };
    return [{ ...seen, kind: kindOf(target, region.readonly), alias }];
  }
  const children = [...region.children].sort((a, b) => a.base - b.base || b.priority - a.priority);
  return [
    { ...seen, kind: kindOf(region, region.readonly) },
    ...children.flatMap((child) => regionsOf(child, start, depth + 1, targets)),
  ];
}

function kindOf(region: MemoryRegion, readonly: boolean): RegionSeen['kind'] {
  if (region.kind === 'ram') return readonly ? 'rom' : 'ram';
  return region.kind === 'rom' ? 'rom' : 'i/o';
}

function span(start: number, size: number): string {
  return `${address(start)}-${size === WHOLE_SPACE ? 'f'.repeat(16) : address(start + size - 1)}`;
}

function address(value: number): string {
  return value.toString(16).padStart(16, '0');
}
