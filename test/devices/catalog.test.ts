import { expect, test } from 'vitest';
import { CATALOG } from '../../src/devices/catalog.ts';

const devices = Object.entries(CATALOG);

test.each(devices)('%s answers regions of the widths it says', (_, device) => {
  for (const { length, minAccess, maxAccess } of device.regions) {
    expect(length).toBeGreaterThan(0);
    expect(minAccess).toBeLessThanOrEqual(maxAccess);
  }
});

test('no two models share a name', () => {
  const names = devices.map(([, { model }]) => model);
  expect(new Set(names).size).toBe(names.length);
});

test('fixed port ranges meet only where one model lies over another on purpose', () => {
  const fixed = devices.flatMap(([name, { regions }]) =>
    regions
      .filter(({ space, base, priority }) => space === 'io' && base !== undefined && priority === undefined)
      .map(({ base, length }) => ({ name, from: base as number, to: (base as number) + length })),
  );
  const clashes = fixed.flatMap((a, i) =>
    fixed
      .slice(i + 1)
      .filter((b) => a.name !== b.name && a.from < b.to && b.from < a.to)
      .map((b) => `${a.name}/${b.name}`),
  );
  // pc-testdev is given by an option and lies over the PCI hot-plug ports' neighbours nowhere.
  expect(clashes).toEqual([]);
});
