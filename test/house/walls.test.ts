import { describe, expect, test } from 'vitest';
import { findings, importsOf, PRODUCT, textOf } from './sources.ts';

interface Wall {
  /** Folders of src this one may import; `x86/guest.ts` names a single file. */
  readonly folders: readonly string[];
  readonly packages: readonly string[];
}

const WORDS = ['base', 'events', 'x86'];
const BELOW_DEVICES = [...WORDS, 'memory'];
/** The states' types, what they start as and how facts change them: nothing that decides. */
const EVOLVED = [
  ...['kvm/evolve', 'kvm/state.ts', 'kvm/new-state.ts', 'kvm/clock/exit-cost.ts'],
  ...['vmm/evolve', 'vmm/state.ts', 'vmm/config.ts', 'vmm/pc/parts.ts'],
];
const BELOW_MACHINE = [...BELOW_DEVICES, 'engine', 'kvm', 'devices', 'vmm', 'reducers'];
const BELOW_REPLAY = [...BELOW_MACHINE, 'machine'];
const BELOW_DEBUGGER = [...BELOW_REPLAY, 'replay'];
/** Where the outside world begins. */
const OUTSIDE = [...BELOW_DEBUGGER, 'debugger', 'options', 'host', 'runs'];
const ANY_PACKAGE = ['node:', 'commander', 'cli-table3', 'rxjs', 'zod', 'iced-x86'];

/** ARCHITECTURE.md, "Who imports whom". The longest matching folder applies. */
const WALLS: Readonly<Record<string, Wall>> = {
  base: { folders: [], packages: [] },
  events: { folders: ['base', 'x86'], packages: [] },
  x86: { folders: ['base'], packages: [] },
  memory: { folders: ['base'], packages: [] },
  engine: { folders: ['base', 'memory', 'x86'], packages: ['iced-x86'] },
  kvm: { folders: BELOW_DEVICES, packages: [] },
  devices: { folders: BELOW_DEVICES, packages: [] },
  vmm: { folders: [...BELOW_DEVICES, 'devices', 'kvm/api.ts', 'kvm/ioctl/ioctls.ts'], packages: [] },
  reducers: { folders: ['base', 'events', ...EVOLVED], packages: ['immer'] },
  machine: { folders: BELOW_MACHINE, packages: [] },
  replay: { folders: BELOW_REPLAY, packages: ['rxjs'] },
  'replay/sources': { folders: BELOW_REPLAY, packages: ['rxjs', 'seedrandom'] },
  options: { folders: [...BELOW_DEVICES, 'kvm', 'vmm'], packages: ANY_PACKAGE },
  host: { folders: BELOW_DEBUGGER, packages: ANY_PACKAGE },
  runs: { folders: OUTSIDE, packages: ANY_PACKAGE },
  debugger: { folders: BELOW_DEBUGGER, packages: ['rxjs'] },
  'debugger/forks': { folders: [...BELOW_DEBUGGER, 'runs'], packages: ['rxjs'] },
  api: { folders: OUTSIDE, packages: ['rxjs'] },
  testing: { folders: OUTSIDE, packages: [...ANY_PACKAGE, 'vitest'] },
  gdb: { folders: OUTSIDE, packages: ANY_PACKAGE },
  cli: { folders: [...OUTSIDE, 'gdb'], packages: ANY_PACKAGE },
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
    const rows = textOf('ARCHITECTURE.md').match(/^\| [^|]*/gm) ?? [];
    const named = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]?.split('/')[0]));
    const missing = Object.keys(WALLS).filter((folder) => !named.includes(folder.split('/')[0]));
    expect(missing).toEqual([]);
  });
});

/** Files that say how facts change a state. */
const EVOLVES = /^src\/(reducers\/|(kvm|vmm)\/evolve\/|devices\/[a-z0-9-]+\/evolve\.ts$)/;
/** Besides them: where `evolve` is called, and where a checkpoint is put back. */
const OPENS = /^src\/(machine\/(context|tell|checkpoint)|replay\/fold)\.ts$/;

const offence = (pattern: RegExp, what: string) => (line: string) =>
  pattern.test(line) && !/^\s*(\/\/|\*|\/\*)/.test(line) ? what : undefined;
const raises = offence(/\braise\(|\bnew Origin\(|\b(fire|arm|cancel)Timer\(/, 'raises');
const looks = offence(/\bnow\(\)|\bhostTsc\(|\bguest\.|\bEffects\b/, 'looks around');
const opens = offence(/ as Draft\b|\bdraftOf\(|\bthaw\(/, 'opens');

const evolving = PRODUCT.filter(({ path }) => EVOLVES.test(path));

describe('deciding and evolving', () => {
  test('what changes a state raises no facts and asks nobody', () => {
    expect(evolving.length).toBeGreaterThan(30);
    expect(findings(evolving, raises)).toEqual([]);
    expect(findings(evolving, looks)).toEqual([]);
  });

  test('nobody else opens a state for change', () => {
    const others = PRODUCT.filter(({ path }) => !OPENS.test(path) && !EVOLVES.test(path));
    expect(findings(others, opens)).toEqual([]);
    expect(findings(PRODUCT, opens).length).toBeGreaterThan(5);
  });

  test('planted offences are found', () => {
    expect(raises('  kvm.raise({ kind });')).toBe('raises');
    expect(looks('  const ns = kvm.now();')).toBe('looks around');
    expect(opens('  (state as Draft<KvmState>).files.length = 0;')).toBe('opens');
  });
});
