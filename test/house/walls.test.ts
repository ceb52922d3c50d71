import { describe, expect, test } from 'vitest';
import { importsOf, PRODUCT, textOf } from './sources.ts';

interface Wall {
  /** Folders of src this one may import; `kvm/guest.ts` names a single file. */
  readonly folders: readonly string[];
  readonly packages: readonly string[];
}

const BELOW_DEVICES = ['base', 'events', 'memory'];
const BELOW_REDUCERS = [...BELOW_DEVICES, 'engine', 'kvm', 'devices', 'net', 'vmm'];
const BELOW_REPLAY = [...BELOW_REDUCERS, 'reducers'];
const BELOW_DEBUGGER = [...BELOW_REPLAY, 'replay'];
const ANY_PACKAGE = ['node:', 'commander', 'cli-table3', 'rxjs', 'zod', 'iced-x86'];

/** ARCHITECTURE.md, "Who imports whom". The longest matching folder applies. */
const WALLS: Readonly<Record<string, Wall>> = {
  base: { folders: [], packages: [] },
  events: { folders: ['base'], packages: [] },
  memory: { folders: ['base'], packages: [] },
  engine: { folders: ['base', 'memory', 'kvm/guest.ts'], packages: ['iced-x86'] },
  kvm: { folders: BELOW_DEVICES, packages: [] },
  devices: { folders: BELOW_DEVICES, packages: [] },
  net: { folders: BELOW_DEVICES, packages: [] },
  vmm: { folders: [...BELOW_DEVICES, 'devices', 'kvm/api.ts', 'kvm/ioctls.ts'], packages: [] },
  reducers: { folders: BELOW_REDUCERS, packages: ['immer'] },
  replay: { folders: BELOW_REPLAY, packages: ['rxjs'] },
  'replay/sources': { folders: BELOW_REPLAY, packages: ['rxjs', 'seedrandom'] },
  debugger: { folders: BELOW_DEBUGGER, packages: ['rxjs'] },
  'debugger/cli': { folders: [...BELOW_DEBUGGER, 'debugger', 'host'], packages: ANY_PACKAGE },
  'debugger/gdb': { folders: [...BELOW_DEBUGGER, 'debugger', 'host'], packages: ANY_PACKAGE },
  host: { folders: [...BELOW_DEBUGGER, 'debugger'], packages: ANY_PACKAGE },
  'host/regression': { folders: [...BELOW_DEBUGGER, 'debugger'], packages: [...ANY_PACKAGE, 'vitest'] },
};

const roomOf = (path: string): string | undefined =>
  Object.keys(WALLS)
    .filter((folder) => path.startsWith(`src/${folder}/`))
    .sort((a, b) => b.length - a.length)[0];

const isAllowed = (room: string, wall: Wall, target: string): boolean => {
  if (!target.startsWith('src/')) return wall.packages.some((name) => target === name || target.startsWith(name));
  const own = target.startsWith(`src/${room.split('/')[0]}/`);
  return own || wall.folders.some((folder) => target === `src/${folder}` || target.startsWith(`src/${folder}/`));
};

describe('walls', () => {
  test('every source file stands in a folder of the map', () => {
    expect(PRODUCT.length).toBeGreaterThan(10);
    expect(PRODUCT.map(({ path }) => path).filter((path) => roomOf(path) === undefined)).toEqual([]);
  });

  test('a folder imports only what ARCHITECTURE.md lets it import', () => {
    const breaches = PRODUCT.flatMap((file) => {
      const room = roomOf(file.path);
      const wall = room === undefined ? undefined : WALLS[room];
      if (room === undefined || wall === undefined) return [];
      return importsOf(file)
        .filter((target) => !isAllowed(room, wall, target))
        .map((target) => `${file.path} imports ${target}: ${room} may import ${wall.folders.join(', ') || 'nothing'}`);
    });
    expect(breaches).toEqual([]);
  });

  test('the import reader sees imports at all', () => {
    const seen = importsOf({
      path: 'src/kvm/x.ts',
      text: "import { a } from '../base/y.ts';\nimport type { B } from 'z';",
    });
    expect(seen).toEqual(['src/base/y.ts', 'z']);
    expect(PRODUCT.flatMap(importsOf).length).toBeGreaterThan(10);
  });

  test('the map in ARCHITECTURE.md names every folder that has a wall', () => {
    const map = textOf('ARCHITECTURE.md');
    const missing = Object.keys(WALLS).filter((folder) => !map.includes(folder.split('/')[0] as string));
    expect(missing).toEqual([]);
  });
});
