import { expect, test } from 'vitest';
import { romFor } from '../../../src/devices/pci/index.ts';

const IDS = { vendorId: 0x1af4, deviceId: 0x1000 };
const sum = (bytes: Uint8Array): number => bytes.reduce((all, byte) => all + byte, 0) & 0xff;

/** An image for 1af4:1041 whose bytes add up to nothing, as firmware wants them. */
function image(): Uint8Array {
  const bytes = new Uint8Array(512);
  bytes.set([0x55, 0xaa, 1]);
  bytes[0x18] = 0x1c;
  bytes.set(new TextEncoder().encode('PCIR'), 0x1c);
  bytes.set([0xf4, 0x1a, 0x41, 0x10], 0x20);
  bytes[6] = -sum(bytes);
  return bytes;
}

test('an image of another function becomes one of this, and still adds up', () => {
  const patched = romFor(image(), IDS);
  expect([...patched.subarray(0x20, 0x24)]).toEqual([0xf4, 0x1a, 0x00, 0x10]);
  expect(sum(patched)).toBe(0);
  expect(romFor(patched, IDS)).toEqual(patched);
});

test.each([
  ['no ROM', (bytes: Uint8Array) => bytes.fill(0, 0, 2)],
  ['one without a PCI data structure', (bytes: Uint8Array) => bytes.fill(0, 0x1c, 0x20)],
  ['one whose structure lies outside', (bytes: Uint8Array) => bytes.fill(0xff, 0x18, 0x1a)],
  ['a piece of one', (bytes: Uint8Array) => bytes.subarray(0, 0x19)],
])('%s stays as it is', (_name, spoil) => {
  const bytes = spoil(image());
  expect(romFor(bytes, IDS)).toEqual(bytes);
});
