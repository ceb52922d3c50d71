import { expect, test } from 'vitest';
import { portName } from '../../src/events/port-names.ts';
import { bench } from '../vmm/bench.ts';
import { fakeMultiboot } from '../vmm/loaders/kernels.ts';

/** Regions of QEMU's `pc` that this one has not. */
const NOT_HERE = ['parallel', 'fdc', 'vga', 'pcspk'];
/** What a PCI base address register places, which moves with it. */
const MOVES = 'piix-bmdma';
const PORTS = 0x1_0000;

/** By port, the region `info mtree` has there. */
function regionsOfIo(): (string | undefined)[] {
  const kernel = { name: 'x.flat', bytes: fakeMultiboot() };
  const devices = [
    { driver: 'isa-debugcon', properties: {} },
    { driver: 'isa-debug-exit', properties: {} },
  ];
  const machine = bench({ bios: undefined as never, kernel, serialLines: 4, devices });
  const at = new Array<string | undefined>(PORTS).fill(undefined);
  const { regions = [] } = machine.vmm.memoryTrees().find(({ name }) => name === 'I/O') ?? {};
  const served = regions.filter(({ depth }) => depth > 1).toSorted((a, b) => a.priority - b.priority);
  for (const { name, start, size } of served) at.fill(name, start, start + size);
  return at;
}

test('a port is called as its region is, wherever a pc always has one', () => {
  const regions = regionsOfIo();
  const wrong = regions.flatMap((region, port) => {
    const name = portName(port);
    const isRight = region === undefined ? name === undefined || NOT_HERE.includes(name) : region === (name ?? MOVES);
    return isRight ? [] : [`0x${port.toString(16)}: ${name} for ${region}`];
  });
  expect(wrong).toEqual([]);
  expect(regions[0x3fd]).toBe('serial');
});
