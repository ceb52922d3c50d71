import { expect, test } from 'vitest';
import { USUAL_PACE } from '../../src/events/costs.ts';
import { powerOn } from '../../src/reducers/power-on.ts';
import type { MachineState } from '../../src/reducers/state.ts';

const drive = (id: string) => ({ id, sectors: 64, readOnly: false, writeCache: true, serial: '' });

const made = (): MachineState =>
  powerOn({
    ...{ memory: 16, smp: 2, serialLines: 2, firmware: false, noReboot: false, digestEvery: 0, ...USUAL_PACE },
    devices: [
      { driver: 'virtio-blk-pci', properties: { drive: 'a' } },
      { driver: 'virtio-blk-pci', properties: { drive: 'b', iothread: 'io0' } },
      { driver: 'virtio-rng-pci', properties: {} },
      { driver: 'edu', properties: {} },
    ],
    drives: [drive('a'), drive('b')],
    iothreads: ['io0', 'io1'],
  });

/** Every object and array of a value, with where it was found first. One that is found twice is named twice. */
function containersOf(value: unknown, path: string, found: [object, string][] = []): [object, string][] {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return found;
  found.push([value, path]);
  for (const [key, item] of Object.entries(value)) containersOf(item, `${path}.${key}`, found);
  return found;
}

/** How a machine was made is never changed, and may be shared. */
const changeable = ({ config: _config, ...state }: MachineState): [object, string][] => containersOf(state, 'state');

test('a machine has no list and no record of its state in common with another, nor twice in itself', () => {
  const all = [...changeable(made()), ...changeable(made())];
  const seen = new Set<object>();
  const shared = all.flatMap(([container, path]) => {
    const isShared = seen.has(container);
    seen.add(container);
    return isShared ? [path] : [];
  });
  expect(all.length).toBeGreaterThan(200);
  expect(shared).toEqual([]);
});
