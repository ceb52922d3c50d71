import { inRenderOrder, type MemoryRegion } from './region.ts';

/** One piece of an address space: all of it is answered by one leaf. */
export interface FlatRange {
  readonly start: number;
  readonly size: number;
  readonly leaf: MemoryRegion;
  /** Offset of `start` inside the leaf. */
  readonly offset: number;
  readonly readonly: boolean;
}

/** Who answers each address once priorities and aliases are worked out, ascending. QEMU docs/devel/memory.rst. */
export function flatten(root: MemoryRegion): readonly FlatRange[] {
  const view: FlatRange[] = [];
  render(view, { region: root, base: 0, from: root.base, to: root.base + root.size, readonly: false });
  return merged(view);
}

/** Two ranges that guest and KVM cannot tell apart. */
export function sameRange(a: FlatRange, b: FlatRange): boolean {
  return (
    a.start === b.start &&
    a.size === b.size &&
    a.offset === b.offset &&
    a.readonly === b.readonly &&
    sameLeaf(a.leaf, b.leaf)
  );
}

/** The range that answers `address`, by binary search. */
export function rangeAt(view: readonly FlatRange[], address: number): FlatRange | undefined {
  let low = 0;
  let high = view.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = view[middle]!;
    if (address < range.start) high = middle - 1;
    else if (address >= range.start + range.size) low = middle + 1;
    else return range;
  }
  return undefined;
}

interface Visit {
  readonly region: MemoryRegion;
  /** Absolute address of the parent's offset 0. */
  readonly base: number;
  /** Clip window. */
  readonly from: number;
  readonly to: number;
  readonly readonly: boolean;
}

function render(view: FlatRange[], visit: Visit): void {
  const { region } = visit;
  const base = visit.base + region.base;
  const from = Math.max(visit.from, base);
  const to = Math.min(visit.to, base + region.size);
  if (from >= to) return;
  const readonly = visit.readonly || region.readonly;
  if (region.kind === 'alias') {
    const target = region.target!;
    render(view, { region: target, base: base - region.targetOffset! - target.base, from, to, readonly });
    return;
  }
  for (const child of inRenderOrder(region.children)) render(view, { region: child, base, from, to, readonly });
  if (region.kind !== 'container')
    fillGaps(view, { start: from, size: to - from, leaf: region, offset: from - base, readonly });
}

function fillGaps(view: FlatRange[], range: FlatRange): void {
  let at = range.start;
  const end = range.start + range.size;
  const piece = (start: number, stop: number): FlatRange => ({
    ...range,
    start,
    size: stop - start,
    offset: range.offset + (start - range.start),
  });
  for (let index = 0; index < view.length && at < end; index++) {
    const other = view[index]!;
    if (other.start + other.size <= at) continue;
    if (other.start > at) {
      view.splice(index, 0, piece(at, Math.min(end, other.start)));
      index++;
    }
    at = Math.max(at, other.start + other.size);
  }
  if (at < end) view.push(piece(at, end));
}

function merged(view: readonly FlatRange[]): readonly FlatRange[] {
  const result: FlatRange[] = [];
  for (const range of view) {
    const last = result.at(-1);
    if (last !== undefined && continues(last, range)) {
      result[result.length - 1] = { ...last, size: last.size + range.size };
    } else result.push(range);
  }
  return result;
}

function continues(a: FlatRange, b: FlatRange): boolean {
  return (
    a.start + a.size === b.start &&
    a.offset + a.size === b.offset &&
    a.readonly === b.readonly &&
    sameLeaf(a.leaf, b.leaf)
  );
}

/** Trees are redrawn on every change, so leaves are the same by what they are, not by identity. */
function sameLeaf(a: MemoryRegion, b: MemoryRegion): boolean {
  return (
    a === b ||
    (a.name === b.name &&
      a.kind === b.kind &&
      a.hva === b.hva &&
      a.handler?.part === b.handler?.part &&
      a.handler?.region === b.handler?.region)
  );
}
