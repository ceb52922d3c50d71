import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findings, importsOf, PRODUCT, type SourceFile, textOf } from './sources.ts';

interface Wall {
  /** Folders of src this one may import; `x86/guest.ts` names a single file. */
  readonly folders: readonly string[];
  readonly packages: readonly string[];
  /** Of its own room besides itself: folders and files of src. Absent: all of it. */
  readonly inside?: readonly string[];
  /** Of its own room: what it may not import. */
  readonly except?: readonly string[];
}

const WORDS = ['base', 'events', 'x86'];
const BELOW_DEVICES = [...WORDS, 'memory', 'packets'];
/** What a device is, without those there are. */
const DEVICE_CONTRACT = ['devices/device.ts', 'devices/driver.ts', 'devices/properties.ts'];
/** The states' types, what they start as and how facts change them: nothing that decides. */
const EVOLVED = [
  ...['kvm/evolve', 'kvm/state.ts', 'kvm/new-state.ts'],
  ...['vmm/evolve', 'vmm/state.ts', 'vmm/config.ts', 'vmm/pc/parts.ts'],
];
const BELOW_MACHINE = [...BELOW_DEVICES, 'engine', 'kvm', 'devices', 'net', 'vmm', 'reducers'];
const BELOW_REPLAY = [...BELOW_MACHINE, 'machine', 'block'];
const BELOW_RUNS = [...BELOW_REPLAY, 'replay'];
const BELOW_DEBUGGER = [...BELOW_RUNS, 'runs'];
/** Whatever a shell puts together. */
const OUTSIDE = [...BELOW_DEBUGGER, 'debugger', 'options', 'host'];
const ANY_PACKAGE = ['node:', 'commander', 'rxjs', 'zod', 'iced-x86'];

const REPLAY: Wall = { folders: BELOW_REPLAY, packages: ['rxjs', 'zod'] };
const RUNS: Wall = { folders: BELOW_RUNS, packages: ['rxjs', 'zod'] };
const DEBUGGER: Wall = { folders: BELOW_DEBUGGER, packages: ['rxjs'] };
const KVM: Wall = { folders: BELOW_DEVICES, packages: [], except: ['kvm/evolve'] };
const VMM: Wall = {
  folders: [...BELOW_DEVICES, 'devices', 'net', 'kvm/api.ts', 'kvm/ioctl/ioctls.ts'],
  packages: [],
  except: ['vmm/evolve'],
};
/** QEMU's `pc`: which devices it has and where, what lies in its memory at the start. */
const MACHINE_TYPE = ['vmm/bios', 'vmm/direct', 'vmm/fw-cfg', 'vmm/option-rom', 'vmm/pc', 'vmm/smbios', 'vmm/vmm.ts'];
/** What looks at one machine that stands still. */
const LOOKING = ['debugger/look', 'debugger/symbols'];
/** What goes along a run. */
const GOING = [...LOOKING, 'debugger/session.ts', 'debugger/stops', 'debugger/travel'];

/** ARCHITECTURE.md, "Who imports whom". The longest matching folder applies. */
const WALLS: Readonly<Record<string, Wall>> = {
  base: { folders: [], packages: [] },
  events: { folders: ['base', 'x86'], packages: [] },
  x86: { folders: ['base'], packages: [] },
  memory: { folders: ['base'], packages: [] },
  packets: { folders: ['base'], packages: [] },
  block: { folders: ['base', 'memory'], packages: [] },
  engine: { folders: ['base', 'memory', 'x86'], packages: ['iced-x86'] },
  kvm: KVM,
  // How facts change a state: nothing that decides.
  'kvm/evolve': { ...KVM, except: ['kvm/kvm.ts', 'kvm/api.ts', 'kvm/exits'] },
  'kvm/mmu': { ...KVM, inside: ['kvm/context.ts', 'kvm/state.ts', 'kvm/ioctl/ioctls.ts'] },
  'kvm/irqchip': { ...KVM, except: ['kvm/evolve', 'kvm/exits', 'kvm/io', 'kvm/mmu', 'kvm/vmcs'] },
  'kvm/clock': { ...KVM, except: ['kvm/evolve', 'kvm/exits', 'kvm/io', 'kvm/irqchip', 'kvm/ioctl'] },
  devices: { folders: BELOW_DEVICES, packages: [] },
  net: { folders: ['base', 'events', 'packets', ...DEVICE_CONTRACT], packages: [] },
  'net/world/ssh': { folders: ['base', 'events', 'packets'], packages: ['@noble/'] },
  vmm: VMM,
  'vmm/evolve': { ...VMM, except: ['vmm/vmm.ts', 'vmm/accel', 'vmm/loaders'] },
  // The board, its memory and its accelerator stand below the machine's type, which builds them.
  'vmm/accel': { ...VMM, except: ['vmm/evolve', ...MACHINE_TYPE] },
  'vmm/board': { ...VMM, except: ['vmm/evolve', 'vmm/main-loop', ...MACHINE_TYPE] },
  'vmm/memory': { ...VMM, except: ['vmm/evolve', ...MACHINE_TYPE] },
  'vmm/acpi': { ...VMM, inside: [] },
  'vmm/cpu': { ...VMM, inside: [] },
  reducers: { folders: ['base', 'events', ...EVOLVED], packages: ['immer'] },
  machine: { folders: BELOW_MACHINE, packages: [] },
  replay: REPLAY,
  'replay/trace': { ...REPLAY, inside: [] },
  'replay/export': { ...REPLAY, inside: ['replay/trace', 'replay/expression'] },
  'replay/expression': { folders: [...WORDS, 'packets'], packages: [], inside: [] },
  'replay/sources': { folders: BELOW_REPLAY, packages: ['rxjs', 'seedrandom'], inside: [] },
  runs: { ...RUNS, inside: ['runs/machine'] },
  'runs/machine': { ...RUNS, packages: [...RUNS.packages, 'jsonc-parser', 'yaml'], inside: ['runs/world.ts'] },
  'runs/recorded': { ...RUNS, inside: ['runs/machine', 'runs/world.ts', 'runs/moment.ts', 'runs/opened.ts'] },
  'runs/underway': { ...RUNS, except: ['runs/forks', 'runs/fabric'] },
  'runs/forks': { ...RUNS, except: ['runs/underway', 'runs/fabric'] },
  'runs/fabric': { ...RUNS, except: ['runs/forks'] },
  debugger: { ...DEBUGGER, inside: GOING },
  'debugger/symbols': { ...DEBUGGER, inside: [] },
  'debugger/look': { ...DEBUGGER, inside: ['debugger/symbols'] },
  'debugger/views': { ...DEBUGGER, inside: LOOKING },
  'debugger/travel': { ...DEBUGGER, inside: [] },
  'debugger/stops': { ...DEBUGGER, inside: [...LOOKING, 'debugger/session.ts'] },
  'debugger/history': { ...DEBUGGER, inside: GOING },
  'debugger/forks': { ...DEBUGGER, inside: ['debugger/travel'] },
  'debugger/prompt': { ...DEBUGGER, except: ['debugger/forks'] },
  options: { folders: [...BELOW_DEVICES, 'block', 'kvm', 'devices', 'vmm', 'runs'], packages: ['commander'] },
  host: { folders: BELOW_DEBUGGER, packages: ['node:', 'zod'] },
  api: { folders: OUTSIDE, packages: ['rxjs'] },
  testing: { folders: OUTSIDE, packages: [...ANY_PACKAGE, 'vitest'] },
  gdb: { folders: OUTSIDE, packages: ['node:'] },
  cli: { folders: [...OUTSIDE, 'gdb'], packages: ANY_PACKAGE },
};

const roomOf = (path: string): string | undefined =>
  Object.keys(WALLS)
    .filter((folder) => path.startsWith(`src/${folder}/`))
    .sort((a, b) => b.length - a.length)[0];

const lies = (target: string, within: readonly string[]): boolean =>
  within.some((folder) => target === `src/${folder}` || target.startsWith(`src/${folder}/`));

/** What devices share, each above the ones before. */
const SHARED = ['pci', 'virtio'];

/** A device imports none of its peers; what PCI functions share is `pci`, and what virtio devices share `virtio`. */
function isPeer(from: string, target: string): boolean {
  const [own, other] = [from, target].map((path) => /^src\/devices\/([^/]+)\//.exec(path)?.[1]);
  if (own === undefined || other === undefined || own === other) return false;
  return !SHARED.slice(0, SHARED.includes(own) ? SHARED.indexOf(own) : undefined).includes(other);
}

function isAllowed(from: string, room: string, wall: Wall, target: string): boolean {
  if (!target.startsWith('src/')) return wall.packages.some((name) => target === name || target.startsWith(name));
  if (!target.startsWith(`src/${room.split('/')[0]}/`)) return lies(target, wall.folders);
  if (lies(target, wall.except ?? []) || isPeer(from, target)) return false;
  // Folders with a wall of their own are others even to the files that lie flat beside them.
  return wall.inside === undefined || roomOf(target) === room || lies(target, wall.inside);
}

/** What a file imports and may not. */
function breachesOf(file: SourceFile): string[] {
  const room = roomOf(file.path);
  const wall = room === undefined ? undefined : WALLS[room];
  if (room === undefined || wall === undefined) return [];
  return importsOf(file)
    .filter((target) => !isAllowed(file.path, room, wall, target))
    .map((target) => `${file.path} imports ${target}: no wall of ${room} lets it`);
}

describe('walls', () => {
  test('every source file stands in a folder of the map', () => {
    expect(PRODUCT.length).toBeGreaterThan(10);
    expect(PRODUCT.map(({ path }) => path).filter((path) => roomOf(path) === undefined)).toEqual([]);
  });

  test('a folder imports only what ARCHITECTURE.md lets it import', () => {
    expect(PRODUCT.flatMap(breachesOf)).toEqual([]);
  });

  test.each([
    ['src/runs/recorded/x.ts', 'node:fs'],
    ['src/runs/machine/x.ts', 'src/host/node.ts'],
    ['src/runs/recorded/x.ts', 'src/runs/underway/session.ts'],
    ['src/runs/world.ts', 'src/runs/recorded/trace-file.ts'],
    ['src/debugger/look/x.ts', 'src/debugger/prompt/prompt.ts'],
    ['src/debugger/x.ts', 'src/debugger/prompt/prompt.ts'],
    ['src/replay/trace/x.ts', 'src/replay/timeline.ts'],
    ['src/kvm/vcpu/x.ts', 'src/kvm/evolve/lapic.ts'],
    ['src/kvm/mmu/x.ts', 'src/kvm/irqchip/index.ts'],
    ['src/vmm/board/x.ts', 'src/vmm/pc/remap.ts'],
    ['src/devices/hpet/x.ts', 'src/devices/piix3/device.ts'],
    ['src/api/x.ts', 'src/cli/main.ts'],
  ])('a planted import is found: %s of %s', (path, target) => {
    const spelled = target.startsWith('src/') ? posix.relative(posix.dirname(path), target) : target;
    const from = spelled.startsWith('.') || !target.startsWith('src/') ? spelled : `./${spelled}`;
    expect(breachesOf({ path, text: `import { x } from '${from}';` })).toHaveLength(1);
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
const EVOLVES = /^src\/(reducers\/|(kvm|vmm)\/evolve\/|(devices|net)\/[a-z0-9-]+\/evolve\.ts$)/;
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
