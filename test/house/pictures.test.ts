import { describe, expect, test } from 'vitest';
import { arrowsUp, drawRooms, dotOf, house, ORDER } from '../../scripts/pictures/rooms.ts';
import { drawRun } from '../../scripts/pictures/run.ts';
import { PRODUCT, ROOT, textOf } from './sources.ts';

describe('pictures', () => {
  test('no arrow of the house goes up: there is no circle of rooms either', () => {
    expect(arrowsUp(house()).map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
    expect(house().arrows.length).toBeGreaterThan(20);
  });

  test('every room has its floor', () => {
    const rooms = new Set(PRODUCT.map(({ path }) => path.split('/')[1]));
    expect([...rooms].filter((room) => !ORDER.includes(room as string))).toEqual([]);
  });

  test('an arrow that goes up is drawn red, one that others lead to is not drawn', () => {
    const drawn = dotOf({
      rooms: ['base', 'kvm', 'vmm'],
      arrows: [
        { from: 'kvm', to: 'base' },
        { from: 'vmm', to: 'kvm' },
        { from: 'vmm', to: 'base' },
        { from: 'base', to: 'vmm' },
      ],
    });
    expect(drawn).toContain('base -> vmm [color=red');
    expect(drawn).toContain('vmm -> kvm\n');
    expect(drawn).not.toContain('vmm -> base');
  });

  test('docs/pictures are what the code and the golden trace give today: npm run pictures', async () => {
    expect(textOf('docs/pictures/rooms.svg')).toBe(await drawRooms(house()));
    expect(textOf('docs/pictures/run.svg')).toBe(await drawRun(`${ROOT}/traces/tour.trace`));
  });
});
