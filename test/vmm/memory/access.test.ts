import { expect, test } from 'vitest';
import { readBytes, writeBytes, type AddressSpace } from '../../../src/vmm/memory/address-space.ts';
import { flatten } from '../../../src/vmm/memory/flat-view.ts';
import { container, io } from '../../../src/vmm/memory/region.ts';

/** A model of one width that answers offset * 0x11 in every byte and notes what it was called with. */
function spaceOf(minAccess: number, maxAccess: number): { space: AddressSpace; calls: string[] } {
  const calls: string[] = [];
  const handler = { part: 0, region: 0, minAccess, maxAccess, leastAccess: 1 };
  const view = flatten(container('root', 0x1000, [io('device', 0x10, handler, { base: 0x100 })]));
  const bus = {
    read: (_range: unknown, offset: number, size: number) => {
      calls.push(`r${size}@${offset}`);
      let value = 0;
      for (let at = size - 1; at >= 0; at--) value = value * 256 + (offset + at) * 0x11;
      return value;
    },
    write: (_range: unknown, offset: number, size: number, value: number) => {
      calls.push(`w${size}@${offset}=${value.toString(16)}`);
    },
  };
  const memory = {
    allocate: () => 0,
    readHost: () => new Uint8Array(),
    writeHost: () => undefined,
    readPayload: () => new Uint8Array(),
    packet: <T>(sent: T) => sent,
    gather: <T>(_dev: string, reads: () => T): T => reads(),
  };
  return { space: { view, memory, bus, written: undefined }, calls };
}

test('a wide access reaches a byte-wide model in little-endian pieces', () => {
  const { space, calls } = spaceOf(1, 1);
  expect([...readBytes(space, 0x104, 4)]).toEqual([0x44, 0x55, 0x66, 0x77]);
  writeBytes(space, 0x104, new Uint8Array([1, 2]));
  expect(calls).toEqual(['r1@4', 'r1@5', 'r1@6', 'r1@7', 'w1@4=1', 'w1@5=2']);
});

test('a byte of a model that only knows words is the low part of a word at the same offset', () => {
  const { space, calls } = spaceOf(4, 4);
  expect([...readBytes(space, 0x104, 1)]).toEqual([0x44]);
  expect(calls).toEqual(['r4@4']);
});

test('an unaligned access is cut at its alignment', () => {
  const { space, calls } = spaceOf(1, 4);
  readBytes(space, 0x102, 4);
  expect(calls).toEqual(['r2@2', 'r2@4']);
});

test('nobody answers with zeros, and hears nothing', () => {
  const { space, calls } = spaceOf(1, 4);
  expect([...readBytes(space, 0x800, 2)]).toEqual([0, 0]);
  writeBytes(space, 0x800, new Uint8Array([0]));
  expect(calls).toEqual([]);
});
