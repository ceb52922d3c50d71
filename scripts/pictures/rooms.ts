/** The house as rooms and imports, drawn from the code. */
import { instance } from '@viz-js/viz';
import { importsOf, PRODUCT } from '../../test/house/sources.ts';

/** Rooms from the ground up: an import may only go down. */
export const ORDER: readonly string[] = [
  ...['base', 'x86', 'events', 'memory', 'packets', 'block', 'engine', 'kvm', 'devices', 'net', 'vmm', 'reducers'],
  ...['machine', 'replay', 'runs', 'debugger', 'options', 'host', 'api', 'testing', 'gdb', 'cli'],
];

/** Files of one room import files of another. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
}

export interface House {
  /** Folders of `src`, in the order of `ORDER`. */
  readonly rooms: readonly string[];
  readonly arrows: readonly Arrow[];
}

const roomOf = (path: string): string => path.split('/')[1] as string;

/** The house as it stands. */
export function house(): House {
  const built = new Set(PRODUCT.map(({ path }) => roomOf(path)));
  return { rooms: ORDER.filter((name) => built.has(name)), arrows: ORDER.flatMap(arrowsFrom) };
}

function arrowsFrom(from: string): Arrow[] {
  const own = PRODUCT.filter(({ path }) => roomOf(path) === from);
  const targets = new Set(
    own
      .flatMap(importsOf)
      .filter((target) => target.startsWith('src/'))
      .map(roomOf),
  );
  return ORDER.filter((to) => to !== from && targets.has(to)).map((to) => ({ from, to }));
}

/** Arrows that do not go down. */
export const arrowsUp = ({ arrows }: House): Arrow[] =>
  arrows.filter(({ from, to }) => ORDER.indexOf(to) > ORDER.indexOf(from));

/** Rooms that can be come to from a room by two arrows or more: an arrow to one of these says nothing new. */
function beyond(arrows: readonly Arrow[], from: string): Set<string> {
  const met = new Set<string>();
  const go = (room: string): void => {
    for (const { to } of arrows.filter((arrow) => arrow.from === room)) {
      if (met.has(to)) continue;
      met.add(to);
      go(to);
    }
  };
  for (const { to } of arrows.filter((arrow) => arrow.from === from)) go(to);
  return met;
}

const COLOURS: Readonly<Record<string, string>> = {
  words: '#f4f1e8',
  machine: '#dcebf7',
  people: '#e6f2df',
};

const colourOf = (name: string): string => {
  const floor = ORDER.indexOf(name);
  if (floor < ORDER.indexOf('engine')) return COLOURS.words as string;
  return (floor < ORDER.indexOf('runs') ? COLOURS.machine : COLOURS.people) as string;
};

/** The house for Graphviz. An arrow is left out where others lead to the same room; one that goes up is red. */
export function dotOf(drawn: House): string {
  const nodes = drawn.rooms.map((name) => `  ${name} [fillcolor="${colourOf(name)}"]`);
  const up = new Set(arrowsUp(drawn));
  const down = drawn.arrows.filter((arrow) => !up.has(arrow));
  const edges = drawn.arrows
    .filter((arrow) => up.has(arrow) || !beyond(down, arrow.from).has(arrow.to))
    .map((arrow) => `  ${arrow.from} -> ${arrow.to}${up.has(arrow) ? ' [color=red constraint=false]' : ''}`);
  const looks = [
    'graph [rankdir=TB nodesep=0.3 ranksep=0.4 fontname="Helvetica" bgcolor="white"]',
    'node [shape=box style="filled,rounded" fontname="Helvetica" fontsize=12 margin="0.3,0.08" color="#888888"]',
    'edge [color="#555555" arrowsize=0.7]',
  ];
  return ['digraph house {', ...looks.map((line) => `  ${line}`), ...nodes, ...edges, '}', ''].join('\n');
}

/** The picture. */
export async function drawRooms(drawn: House): Promise<string> {
  const viz = await instance();
  return viz.renderString(dotOf(drawn), { format: 'svg', engine: 'dot' });
}
