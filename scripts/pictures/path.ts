/** One event's path through the rooms: who decides each event, from the guest's exit to its next entry. */
import { dot, label, line, picture, box } from './svg.ts';
import type { Step, Walked } from './walks.ts';

/** Lanes from the guest outwards. */
const LANES: readonly { readonly title: string; readonly rooms: RegExp }[] = [
  { title: 'engine', rooms: /^(engine|machine)\// },
  { title: 'kvm', rooms: /^kvm\// },
  { title: 'vmm (QEMU)', rooms: /^vmm\// },
  { title: 'devices', rooms: /^devices\// },
];

const LEFT = 110;
const TOP = 170;
const LANE = 44;
const STEP = 38;

const laneOf = ({ decidedBy }: Step): number =>
  Math.max(
    0,
    LANES.findIndex(({ rooms }) => rooms.test(decidedBy)),
  );

/** The picture of a walk: a dot for each event in the lane of the room that decided it. */
export function drawPath({ name, steps }: Walked): string {
  const width = LEFT + (steps.length + 2) * STEP + 60;
  const height = TOP + LANES.length * LANE + 20;
  const at = (column: number, lane: number): readonly [number, number] => [
    LEFT + STEP / 2 + column * STEP,
    TOP + lane * LANE + LANE / 2,
  ];
  const places = steps.map((step, index) => at(index + 1, laneOf(step)));
  return picture(`${name}: its events, and the room that decided each`, width, height, [
    ...LANES.flatMap(({ title }, lane) => [
      box(LEFT, TOP + lane * LANE, (steps.length + 2) * STEP, LANE, lane % 2 === 0 ? '#f2f6fa' : '#e7eef5'),
      label(title, { x: LEFT - 8, y: TOP + lane * LANE + LANE / 2 + 4, anchor: 'end', size: 12, weight: 'bold' }),
    ]),
    // The guest runs before and after.
    line([at(0, 0), ...places, at(steps.length + 1, 0)], '#2b6ca3', 1.5),
    ...places.flatMap(([x, y], index) => [
      dot(x, y, 5, '#c0392b'),
      label(steps[index]?.kind ?? '', { x: x + 3, y: TOP - 8, size: 10, turned: -45 }),
    ]),
  ]);
}
