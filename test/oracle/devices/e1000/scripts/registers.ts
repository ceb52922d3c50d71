/** Registers, read and written as chance has it, while time stands still. */
import { hexadecimal } from '../../../../../src/base/bytes.ts';
import { R } from '../../../../../src/devices/e1000/registers.ts';
import { randomSteps } from '../../nic/random-steps.ts';
import { Chance } from '../../workloads.ts';
import { BAR, hex, type Say, type Station } from '../station.ts';

const OFFSETS = Object.values(R);

const WORDS = [0, 1, 2, 4, 0x10, 0x80, 0x200, 0x8100, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** Rings that lie where nothing is, or in memory that is zero: all descriptors are. */
const SPECIAL: Readonly<Record<number, readonly number[]>> = {
  [R.TDBAL]: [0, 0x10_0008, 0x20_0000],
  [R.TDBAH]: [0, 0, 1, 0xffff_ffff],
  [R.RDBAL]: [0, 0x10_000f, 0x20_0000],
  [R.TDLEN]: [0, 0x7f, 0x80, 0x1000, 0x100f],
  [R.TDH]: [0, 1, 7, 8, 0x30, 0xff, 0x100, 0xffff, 0x1_0003],
  [R.TDT]: [0, 1, 2, 7, 8, 0x20, 0xff, 0x100, 0x1_0001],
  [R.TCTL]: [0, 2, 0xa, 0xffff_ffff, 0xffff_fffd],
};

async function step(station: Station, chance: Chance, say: Say): Promise<void> {
  const anywhere = chance.below(6) === 0;
  const offset = anywhere ? 4 * chance.below(0x8000) : chance.of(OFFSETS) + 4 * (chance.coin ? 0 : chance.below(3));
  const size = chance.below(8) === 0 ? chance.of([1, 2] as const) : 4;
  // Narrow accesses lie anywhere in a register.
  const at = offset + (size === 4 ? 0 : chance.below(4 / size) * size);
  if (chance.coin) {
    say(`${hex(at)} ${size} ${hex(await station.read(at, size))}`);
    return;
  }
  const value = chance.of(SPECIAL[offset] ?? [...WORDS, chance.below(2 ** 32)]);
  await station.write(at, size === 4 ? value : value % 2 ** (8 * size), size);
}

export const randomRegisters =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    await randomSteps(seed, station, say, step);
    for (let offset = 0; offset < 0x2_0000; offset += 4) {
      const value = await station.read(offset);
      if (value !== 0) say(`${hex(offset)} ${hex(value)}`);
    }
  };

/** The wires of the EEPROM: commands that are right, and noise. */
export const eepromWires =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    await station.place();
    const chance = new Chance(seed);
    const drive = async (value: number): Promise<void> => station.write(R.EECD, value);
    const clock = async (bit: number): Promise<string> => {
      await drive(0x42 | (bit << 2));
      await drive(0x43 | (bit << 2));
      return hex((await station.read(R.EECD)) & 0x1ff);
    };
    for (let round = 0; round < 80; round++) {
      await drive(0x40);
      await drive(0x42);
      const command = chance.below(3) === 0 ? chance.below(512) : 0x180 | chance.below(64);
      for (let bit = 8; bit >= 0; bit--) await clock((command >> bit) & 1);
      const bits: string[] = [];
      for (let count = chance.of([16, 16, 17, 40]); count > 0; count--) bits.push(await clock(0));
      say(`${hex(command)}: ${bits.join(' ')}`);
      if (chance.coin) await drive(0x40);
      for (let noise = chance.below(5); noise > 0; noise--) await drive(chance.below(2 ** 32));
      say(`noise ${hex(await station.read(R.EECD))}`);
      await station.write(
        R.EERD,
        chance.of([chance.below(64) << 8, (chance.below(80) << 8) | 1, chance.below(2 ** 32)]),
      );
      say(`word ${hex(await station.read(R.EERD))}`);
    }
  };

/** Commands to the PHY, and to others that are not there. */
export const phyCommands =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    await station.place();
    const chance = new Chance(seed);
    await station.write(R.IMS, 0x200);
    for (let count = 0; count < 400; count++) {
      const phy = chance.below(8) === 0 ? chance.below(32) : 1;
      const operation = chance.of([0x0800_0000, 0x0800_0000, 0x0400_0000, 0, 0x0c00_0000]);
      const interrupt = chance.below(6) === 0 ? 0x2000_0000 : 0;
      const data = chance.of([0, 0x1200, 0x1140, 0x4000, 0x8000, chance.below(0x1_0000)]);
      await station.write(R.MDIC, operation | interrupt | (phy << 21) | (chance.below(32) << 16) | data);
      say(`${hex(await station.read(R.MDIC))} status ${hex(await station.read(R.STATUS))}`);
      say(`causes ${hex(await station.read(R.ICS))} raised ${await station.isRaised()}`);
      if (chance.below(5) === 0) say(`taken ${hex(await station.read(R.ICR))}`);
    }
  };

/** Accesses of any width that begin anywhere, over the ends of registers. */
export async function oddAccesses(station: Station, say: Say): Promise<void> {
  await station.place();
  const chance = new Chance(20);
  const { machine } = station;
  for (let count = 0; count < 400; count++) {
    const register = chance.of([R.VET, R.LEDCTL, R.PBA, R.RA, R.MTA, R.EERD, R.FFMT, R.STATUS, R.PBM, R.PBM + 0xfff0]);
    const at = register + chance.below(12);
    const length = chance.of([1, 2, 3, 4, 5, 8]);
    if (chance.coin)
      await machine.poke(
        BAR + at,
        Uint8Array.from({ length }, () => chance.below(256)),
      );
    else say(`${hex(at)} ${length} ${hexadecimal(await machine.peek(BAR + at, length))}`);
  }
}
