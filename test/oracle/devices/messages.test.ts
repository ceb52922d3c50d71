import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { type Bench, bench } from '../../vmm/bench.ts';
import { BAR0, TABLE } from './message-workloads.ts';

vi.mock('../../../src/devices/catalog.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../../devices/pci/raiser.ts')).raisers,
}));

/** Where a raiser has its MSI-X. */
const CONTROL = 0x42;

const bytesOf = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** One access by the guest; what it reads, if it reads. */
function access(machine: Bench, op: string, address: number, size: number, value: number): number | undefined {
  switch (op) {
    case 'in':
      return machine.in(address, size);
    case 'out':
      machine.out(address, size, value);
      return undefined;
    case 'read':
      return new DataView(machine.read(address, 4).buffer).getUint32(0, true);
    case 'write':
      machine.store(address, bytesOf(value));
      return undefined;
    case 'control':
      config(machine, CONTROL, 2, value);
      return undefined;
    default:
      machine.store(BAR0, bytesOf(value));
      return undefined;
  }
}

function config({ out }: Bench, register: number, size: number, value: number): void {
  out(0xcf8, 4, 0x8000_1000 + (register & 0xfc));
  out(0xcfc + (register & 3), size, value);
}

function expectAgreed(name: string, machine: Bench): void {
  const lines = readFileSync(new URL(`recorded/${name}.txt`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  expect(lines.length).toBeGreaterThan(500);
  for (const [index, line] of lines.entries()) {
    const [op, address, size, value] = line.split(' ') as [string, string, string, string];
    const got = access(machine, op, Number.parseInt(address, 16), Number(size), Number.parseInt(value, 16));
    if (got !== undefined)
      expect(`${index} ${op} ${address} ${got.toString(16)}`).toBe(`${index} ${line.replace(/ \d /, ' ')}`);
  }
}

describe('accesses recorded from QEMU 7.2', () => {
  test('find the edu device, its MSI and its pin the same', () => {
    expectAgreed('edu', bench({ devices: [{ driver: 'edu', properties: {} }] }));
  });

  test('find MSI-X table, masks, pending bits and messages the same', () => {
    const machine = bench({ devices: [{ driver: 'raiser', properties: {} }] });
    config(machine, 0x10, 4, BAR0);
    config(machine, 0x14, 4, TABLE);
    config(machine, 4, 2, 6);
    expectAgreed('msix', machine);
  });
});
