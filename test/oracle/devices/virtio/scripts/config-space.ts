/** What a PCI function shows of itself and what of it can be changed. */
import { Chance } from '../../workloads.ts';
import { ConfigSpace, dumpOf, type Guest, hex, type Say, type Width } from '../guest.ts';

/** All bytes, sizes of the BARs, bits that can be changed; and the same after a reset of what was scribbled on. */
export async function configurationSpace(guest: Guest, say: Say): Promise<void> {
  const config = new ConfigSpace(guest);
  say('at reset');
  dumpOf(await config.bytes()).forEach(say);
  await barMasks(config, say);
  say('bits that can be changed');
  dumpOf(await changeable(config)).forEach(say);
  await scribble(config);
  say('scribbled on');
  dumpOf(await config.bytes()).forEach(say);
  await guest.reset();
  say('reset again');
  dumpOf(await config.bytes()).forEach(say);
}

async function barMasks(config: ConfigSpace, say: Say): Promise<void> {
  for (const register of [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30]) {
    const before = await config.read(register);
    await config.write(register, 4, register === 0x30 ? 0xffff_fffe : 0xffff_ffff);
    say(`register ${hex(register)} reset ${hex(before, 8)} mask ${hex(await config.read(register), 8)}`);
    await config.write(register, 4, before);
  }
}

/** Ones where a byte read otherwise after it was written with ones than with zeroes. */
async function changeable(config: ConfigSpace): Promise<Uint8Array> {
  const bits = new Uint8Array(256);
  for (let at = 0; at < 256; at++) {
    const before = await config.read(at, 1);
    await config.write(at, 1, 0xff);
    const ones = await config.read(at, 1);
    await config.write(at, 1, 0);
    bits[at] = ones ^ (await config.read(at, 1));
    await config.write(at, 1, before);
  }
  return bits;
}

const WRITES = 400;

/** Anything anywhere, in all widths. */
async function scribble(config: ConfigSpace): Promise<void> {
  const chance = new Chance(7);
  for (let count = 0; count < WRITES; count++) {
    const size = chance.of([1, 2, 4] as const satisfies readonly Width[]);
    await config.write(chance.below(256 / size) * size, size, chance.below(2 ** (8 * size)));
  }
}
