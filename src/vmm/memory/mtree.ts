import type { FlatRange } from './flat-view.ts';
import { type MemoryRegion, WHOLE_SPACE } from './region.ts';

/** The tree as QEMU's monitor prints it for `info mtree`: one address space, its regions indented. */
export function describeTree(addressSpace: string, root: MemoryRegion): string {
  const targets: MemoryRegion[] = [];
  const lines = [`address-space: ${addressSpace}`, ...treeLines(root, 0, 1, targets)];
  for (let index = 0; index < targets.length; index++) {
    const target = targets[index]!;
    lines.push('', `memory-region: ${target.name}`, ...treeLines(target, 0, 1, targets));
  }
  return lines.join('\n');
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

function treeLines(region: MemoryRegion, base: number, depth: number, targets: MemoryRegion[]): string[] {
  const start = base + region.base;
  const indent = '  '.repeat(depth);
  const head = `${indent}${span(start, region.size)} (prio ${region.priority}, `;
  if (region.kind === 'alias') {
    const target = region.target!;
    if (!targets.some((known) => known.name === target.name)) targets.push(target);
    const window = span(region.targetOffset!, region.size);
    return [`${head}${kindOf(target, region.readonly)}): alias ${region.name} @${target.name} ${window}`];
  }
  const children = [...region.children].sort((a, b) => a.base - b.base || b.priority - a.priority);
  return [
    `${head}${kindOf(region, region.readonly)}): ${region.name}`,
    ...children.flatMap((child) => treeLines(child, start, depth + 1, targets)),
  ];
}

function kindOf(region: MemoryRegion, readonly: boolean): string {
  if (region.kind === 'ram') return readonly ? 'rom' : 'ram';
  return region.kind === 'rom' ? 'rom' : 'i/o';
}

function span(start: number, size: number): string {
  return `${address(start)}-${size === WHOLE_SPACE ? 'f'.repeat(16) : address(start + size - 1)}`;
}

function address(value: number): string {
  return value.toString(16).padStart(16, '0');
}
