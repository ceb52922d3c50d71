import { describe, expect, test } from 'vitest';
import { memoryTrees, treeText } from '../../../src/vmm/memory/mtree.ts';
import { flatten, rangeAt } from '../../../src/vmm/memory/flat-view.ts';
import { alias, container, ram, rom, unserved } from '../../../src/vmm/memory/region.ts';

const shown = (ranges: ReturnType<typeof flatten>) =>
  ranges.map((r) => `${r.start.toString(16)}+${r.size.toString(16)} ${r.leaf.name}@${r.offset.toString(16)}`);

describe('a flat view', () => {
  test('the higher priority covers the lower, which goes on behind it', () => {
    const root = container('root', 0x10000, [
      ram('ram', 0x4000, 0x100000),
      unserved('device', 0x1000, 'zero', { base: 0x1000, priority: 1 }),
    ]);
    expect(shown(flatten(root))).toEqual(['0+1000 ram@0', '1000+1000 device@0', '2000+2000 ram@2000']);
  });

  test('among equals the last added covers', () => {
    const root = container('root', 0x1000, [unserved('first', 0x100, 'zero'), unserved('second', 0x80, 'zero')]);
    expect(shown(flatten(root))).toEqual(['0+80 second@0', '80+80 first@80']);
  });

  test('an alias shows part of its target, clipped to both', () => {
    const memory = ram('ram', 0x10000, 0x100000);
    const root = container('root', 0x100000, [alias('low', memory, 0x4000, 0x2000, { base: 0x8000 })]);
    expect(shown(flatten(root))).toEqual(['8000+2000 ram@4000']);
  });

  test('a write-protecting alias makes RAM read-only and does not join its neighbour', () => {
    const memory = ram('ram', 0x3000, 0x100000);
    const root = container('root', 0x3000, [
      alias('all', memory, 0, 0x3000),
      alias('shadow', memory, 0x1000, 0x1000, { base: 0x1000, priority: 1, readonly: true }),
    ]);
    expect(flatten(root).map((range) => range.readonly)).toEqual([false, true, false]);
  });

  test('two aliases of the same memory that continue each other are one range', () => {
    const memory = ram('ram', 0x2000, 0x100000);
    const root = container('root', 0x2000, [
      alias('a', memory, 0, 0x1000),
      alias('b', memory, 0x1000, 0x1000, { base: 0x1000 }),
    ]);
    expect(shown(flatten(root))).toEqual(['0+2000 ram@0']);
  });

  test('an address nobody maps has no range', () => {
    const view = flatten(container('root', 0x10000, [ram('ram', 0x1000, 0x100000, { base: 0x2000 })]));
    expect(rangeAt(view, 0x1fff)).toBeUndefined();
    expect(rangeAt(view, 0x2fff)?.leaf.name).toBe('ram');
    expect(rangeAt(view, 0x3000)).toBeUndefined();
  });
});

test("a tree prints as QEMU's info mtree does", () => {
  const bios = rom('pc.bios', 0x40000, 0x100000, { base: 0xfffc0000 });
  const isa = alias('isa-bios', bios, 0x20000, 0x20000, { base: 0xe0000, priority: 1, readonly: true });
  const root = container('system', 2 ** 64, [container('pci', 2 ** 64, [isa, bios], { priority: -1 })]);
  const [tree, shown] = memoryTrees('memory', root).map(treeText) as [string, string];
  expect(tree.split('\n')).toEqual([
    'address-space: memory',
    '  0000000000000000-ffffffffffffffff (prio 0, i/o): system',
    '    0000000000000000-ffffffffffffffff (prio -1, i/o): pci',
    '      00000000000e0000-00000000000fffff (prio 1, rom): alias isa-bios @pc.bios 0000000000020000-000000000003ffff',
    '      00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios',
  ]);
  expect(shown).toBe('memory-region: pc.bios\n  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios');
});
