import { expect, test } from 'vitest';
import * as CATALOG from '../../src/devices/catalog.ts';
import type { AnyDriver } from '../../src/devices/driver.ts';
import { accepts } from '../../src/devices/properties.ts';

const drivers: readonly (readonly [string, AnyDriver])[] = Object.entries(CATALOG);

/** Devices that can be had without a board, as their defaults make them. */
const optional = drivers.flatMap(([model, driver]) => {
  const { properties } = driver;
  if (properties === undefined) return [];
  const setup = Object.fromEntries(Object.entries(properties).map(([key, property]) => [key, property.default]));
  return [{ model, driver, properties, device: driver.create(setup), state: driver.atReset(setup) }];
});

test('there are drivers for -device', () => {
  expect(optional.map(({ driver }) => driver.name)).toEqual(
    expect.arrayContaining(['isa-debugcon', 'isa-debug-exit', 'pc-testdev', 'pci-testdev']),
  );
});

test.each(optional)('$model answers regions of the widths it says', ({ device }) => {
  for (const { length, minAccess, maxAccess } of device.regions) {
    expect(length).toBeGreaterThan(0);
    expect(minAccess).toBeLessThanOrEqual(maxAccess);
  }
});

test.each(optional)('$model can have its defaults, and describes itself', ({ properties, device, state }) => {
  for (const property of Object.values(properties)) expect(accepts(property, property.default)).toBe(true);
  expect(Object.values(device.describe(state)).every((value) => typeof value === 'string')).toBe(true);
});

test('no two drivers share a name', () => {
  const names = drivers.map(([, { name }]) => name);
  expect(new Set(names).size).toBe(names.length);
});
