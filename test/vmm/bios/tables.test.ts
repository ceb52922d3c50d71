import { describe, expect, test } from 'vitest';
import { dataArea } from '../../../src/vmm/bios/data-area.ts';
import { mpFloatingPointer, mpTable } from '../../../src/vmm/bios/mp-table.ts';
import { LEAST, bench } from '../bench.ts';
import { fakeMultiboot } from '../loaders/kernels.ts';

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

describe('the BIOS data area', () => {
  const view = viewOf(dataArea({ serialPorts: [0x3f8, 0x2f8], secondsOfDay: 12 * 3600 }));

  test('names the serial ports there are, base memory and the extended area', () => {
    expect([0, 2, 4, 6].map((at) => view.getUint16(at, true))).toEqual([0x3f8, 0x2f8, 0, 0]);
    expect(view.getUint16(0x13, true)).toBe(639);
    expect(view.getUint16(0x0e, true)).toBe(0x9fc0);
    expect(view.getUint16(0x10, true)).toBe(0x406);
  });

  test('counts the time of day in periods of the timer: half of 1800b0h at noon', () => {
    expect(Math.abs(view.getUint32(0x6c, true) - 0x1800b0 / 2)).toBeLessThan(8);
  });
});

describe('the table of processors and interrupts', () => {
  const options = {
    cpus: 4,
    processorId: [0x60fb1, 0x78bfbfd] as const,
    pciInterrupts: [{ slot: 1, pin: 1, line: 9 }],
  };
  const processors = (table: Uint8Array) => {
    const ids: number[] = [];
    for (let at = 44; table[at] === 0; at += 20) ids.push(table[at + 1]!);
    return ids;
  };

  test('sums to zero and has as many entries and bytes as it says', () => {
    const table = mpTable({ ...options, cpusPerPackage: 1 });
    const view = viewOf(table);
    expect([sum(table), sum(mpFloatingPointer(0xf5bb0))]).toEqual([0, 0]);
    expect(view.getUint16(4, true)).toBe(table.length);
    expect(view.getUint16(34, true)).toBe(4 + 2 + 1 + 1 + 11 + 2);
  });

  test.each([
    [1, [0, 1, 2, 3]],
    [2, [0, 2]],
    [3, [0]],
    [4, [0]],
  ])('names the first processor of each package of %d', (cpusPerPackage, ids) => {
    expect(processors(mpTable({ ...options, cpusPerPackage }))).toEqual(ids);
  });

  test('has an interrupt that slots share once for each slot and pin', () => {
    const pin = { slot: 4, pin: 2, line: 11 };
    const table = mpTable({ ...options, cpusPerPackage: 4, pciInterrupts: [pin, pin, { ...pin, slot: 5 }] });
    const first = 44 + 20 + 2 * 8 + 8;
    expect([...table.subarray(first, first + 24)].slice(0, 16)).toEqual([
      3, 0, 1, 0, 0, 17, 0, 11, 3, 0, 1, 0, 0, 21, 0, 11,
    ]);
    expect([...table.subarray(first + 16, first + 24)]).toEqual([3, 0, 0, 0, 1, 0, 0, 2]);
  });
});

test('a kernel that starts without firmware finds them in memory, and the same after a reset', () => {
  const { bios: _, ...rest } = LEAST;
  const machine = bench({ ...rest, bios: undefined as never, kernel: { name: 'x.flat', bytes: fakeMultiboot() } });
  const text = (gpa: number, length: number) => String.fromCharCode(...machine.read(gpa, length));
  const look = () => {
    expect(viewOf(machine.read(0x40e, 2)).getUint16(0, true)).toBe(0x9fc0);
    expect(machine.read(0x9fc00, 1)[0]).toBe(1);
    expect([text(0xf5ba0, 4), text(0xf5bb0, 4), text(0xf5c80, 4)]).toEqual(['_MP_', 'PCMP', '$PIR']);
    // Vector 10h leads to an IRET, vector 60h is nobody's.
    expect([...machine.read(0x40, 4), ...machine.read(0x180, 4)]).toEqual([0x53, 0xff, 0, 0xf0, 0, 0, 0, 0]);
    expect(machine.read(0xfff53, 1)[0]).toBe(0xcf);
  };
  look();
  machine.store(0x40e, new Uint8Array(2));
  machine.out(0x4f4, 1, 0);
  look();
});
