/** Reads and writes of all registers in all widths, as chance has it. */
import { Chance } from '../../workloads.ts';
import { ConfigSpace, type Guest, hex, PLACE, placed, type Say, structure, type Width } from '../guest.ts';

const STEPS = 1500;
const COMMON_BYTES = 68;

type Place = readonly [name: string, base: number, length: number];

const MODERN: readonly Place[] = [
  ['common', structure('common'), COMMON_BYTES],
  ['common', structure('common'), COMMON_BYTES],
  ['isr', structure('isr'), 8],
  ['device', structure('device'), 72],
  ['notify', structure('notify'), 64],
  ['table', PLACE.msix, 48],
  ['pending', PLACE.msix + 0x800, 12],
];

const LEGACY: Place = ['legacy', PLACE.io, 128];

/** Places of a ring that are likely to be written, so that addresses mean something now and then. */
const WORDS = [0, 1, 2, 3, 4, 7, 0xb, 0xf, 0x40, 0x80, 0x100, 0x200, 0x400, 0x401, 0xffff, 0x10_0000, 0xffff_ffff];

/** Whatever is read is said, with its place: `what`, which registers there are. */
export const randomRegisters =
  (what: 'modern' | 'legacy' | 'both', seed: number) =>
  async (guest: Guest, say: Say): Promise<void> => {
    const msix = await placed(guest);
    const chance = new Chance(seed);
    const places = [...(what === 'legacy' ? [] : MODERN), ...(what === 'modern' ? [] : [LEGACY, LEGACY, LEGACY])];
    const config = new ConfigSpace(guest);
    for (let step = 0; step < STEPS; step++) {
      await (chance.below(12) === 0 ? configStep(config, chance, msix, say) : step1(guest, chance, places, say));
    }
  };

/** Command, what lies behind the header, and MSI-X, without moving a BAR. */
async function configStep(config: ConfigSpace, chance: Chance, msix: number, say: Say): Promise<void> {
  const size = chance.of([1, 2, 4] as const);
  const at = 0x40 + chance.below(0xc0 / size) * size;
  const steps: (() => Promise<void>)[] = [
    async () => say(`configuration ${hex(at)} ${size} ${hex(await config.read(at, size))}`),
    () => config.write(at, size, chance.below(2 ** (8 * size))),
    () => config.write(msix + 2, 2, chance.of([0x8000, 0xc000, 0x4000, 0])),
    () => config.write(4, 2, chance.of([7, 7, 7, 3, 0x407])),
    async () => say(`command and status ${hex(await config.read(4))}`),
  ];
  await chance.of(steps)();
}

async function step1(guest: Guest, chance: Chance, places: readonly Place[], say: Say): Promise<void> {
  const [name, base, length] = chance.of(places);
  const size = chance.of([1, 2, 4] as const);
  // Most accesses lie where a driver makes them.
  const at = chance.below(5) === 0 ? chance.below(length - size) : chance.below(length / size) * size;
  const isPort = name === 'legacy';
  if (chance.coin) {
    const value = isPort ? await guest.in(base + at, size) : await guest.read(base + at, size);
    say(`${name} ${at} ${size} ${hex(value)}`);
    return;
  }
  const value = chance.of(WORDS) % 2 ** (8 * size);
  if (isPort) await guest.out(base + at, size, value);
  else await guest.write(base + at, size, value);
  if (mayKick(name, at, size)) await settled(guest, say);
}

/** Notifications and the status, from which something may follow later. */
const mayKick = (name: string, at: number, size: Width): boolean =>
  name === 'notify' || ((name === 'common' || name === 'legacy') && at < 32 && at + size > 16) || name === 'device';

async function settled(guest: Guest, say: Say): Promise<void> {
  await guest.settle();
  guest.said().forEach((line) => say(`says ${line}`));
}
