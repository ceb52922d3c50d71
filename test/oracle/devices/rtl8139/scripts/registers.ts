/** Registers, read and written as chance has it, while time stands still. */
import { hexadecimal } from '../../../../../src/base/bytes.ts';
import { R, WINDOW_BYTES } from '../../../../../src/devices/rtl8139/registers.ts';
import { randomSteps } from '../../nic/random-steps.ts';
import { Chance } from '../../workloads.ts';
import { hex, PORTS, type Say, type Station } from '../station.ts';

const OFFSETS = Object.values(R);

const VALUES = [0, 1, 2, 4, 8, 0x10, 0x40, 0x80, 0xc0, 0x200, 0x1000, 0x2000, 0x7fff, 0x8000, 0xffff, 0xffff_ffff];

/** Where memory is that holds zeroes, and is not looked at. */
const PLACES = [0x10_0000, 0x20_0008, 0x20_003f, 0x30_1000];

/** What is written to some registers, so that something happens, and nothing elsewhere. */
const SPECIAL: Readonly<Record<number, readonly number[]>> = {
  [R.CR]: [0, 0x04, 0x08, 0x0c, 0x0c, 0x0c, 0x1c, 0xff],
  [R.CR9346]: [0, 0xc0, 0xc0, 0xc0, 0x80, 0x8e, 0x40, 0x31],
  [R.RBSTART]: PLACES,
  [R.TSD]: [0, 0x40, 0x1fff, 0x2000, 0x00ff_ffff, ...PLACES, ...PLACES.map((place) => place | 8)],
  [R.TSD + 4]: [0, 0x60, 0x2000, 0xffff_ffff],
  [R.TSAD]: PLACES,
  [R.TSAD + 4]: [0, 0, 1],
  [R.RDSAR]: [0, ...PLACES],
  [R.RDSAR + 4]: [0, 0, 1],
  [R.HLTCLK]: [0x48, 0x52, 0x52, 0],
  [R.TCR]: [0, 0x6_0000, 0x0300_0700, 0xffff_ffff],
};

async function step({ machine, bar }: Station, chance: Chance, say: Say): Promise<void> {
  const size = chance.of([1, 2, 4] as const);
  const isKnown = chance.below(6) !== 0;
  const known = chance.of(OFFSETS) + (chance.below(3) === 0 ? chance.below(4) * size : 0);
  const offset = (isKnown ? known - (known % size) : chance.below(WINDOW_BYTES / size) * size) % WINDOW_BYTES;
  const ports = chance.coin;
  if (chance.coin) {
    const value = ports ? await machine.in(PORTS + offset, size) : await machine.read(bar + offset, size);
    say(`${ports ? 'port' : 'memory'} ${hex(offset)} ${size} ${hex(value)}`);
    return;
  }
  const random = chance.of([...VALUES, chance.below(2 ** 32)]);
  const value = chance.of(SPECIAL[offset] ?? [random]) % 2 ** (8 * size);
  // Rings are where it is said, not where chance has it.
  const isPlace = offset < R.CR && offset >= R.TSD && SPECIAL[offset] === undefined;
  if (isPlace || (offset >= R.RDSAR && offset < R.RDSAR + 8 && SPECIAL[offset] === undefined)) return;
  if (ports) await machine.out(PORTS + offset, size, value);
  else await machine.write(bar + offset, size, value);
}

export const randomRegisters =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    await randomSteps(seed, station, say, step);
    for (const size of [1, 2, 4] as const) {
      for (let offset = 0; offset < WINDOW_BYTES; offset += size) {
        const value = await station.read(offset, size);
        if (value !== 0) say(`${hex(offset)} ${size} ${hex(value)}`);
      }
    }
  };

/** All registers as they are before anybody has written one, and behind a reset of the machine. */
export async function atReset(station: Station, say: Say): Promise<void> {
  for (const what of ['at power-on', 'behind a reset']) {
    await station.place();
    say(what);
    for (let offset = 0; offset < WINDOW_BYTES; offset += 4) {
      const widths = [await station.read(offset, 4), await station.read(offset, 2), await station.read(offset, 1)];
      if (widths.some((value) => value !== 0)) say(`${hex(offset)} ${widths.map((value) => hex(value)).join(' ')}`);
    }
    for (const [offset, size, value] of SCRIBBLED) await station.write(offset, value, size);
    await station.machine.reset();
  }
}

const SCRIBBLED = [
  [R.CR9346, 1, 0xc0],
  [R.IDR, 1, 0x12],
  [R.MAR, 4, 0x1234_5678],
  [R.CR, 1, 0x0c],
  [R.RCR, 4, 0xffff_ffff],
  [R.TCR, 4, 0xffff_ffff],
  [R.IMR, 2, 0xffff],
  [R.CONFIG1, 1, 0xff],
  [R.CONFIG4, 1, 0xff],
  [R.MULINT, 2, 0xffff],
  [R.ANAR, 2, 0x1234],
  [R.TSAD, 4, 0x1234],
  [R.RBSTART, 4, 0x5678],
  [R.RDSAR, 4, 0x9abc],
  [R.CPCR, 2, 0xffff],
  [R.ETTHR, 1, 0xff],
  [R.TIMERINT, 4, 0x1_0000],
] as const satisfies readonly (readonly [offset: number, size: 1 | 2 | 4, value: number])[];

/** The wires of the EEPROM: commands that are right, and noise. */
export const eepromWires =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    await station.place();
    const chance = new Chance(seed);
    const drive = async (value: number): Promise<void> => station.write(R.CR9346, value, 1);
    const clock = async (bit: number): Promise<number> => {
      await drive(0x88 | (bit << 1));
      await drive(0x8c | (bit << 1));
      return (await station.read(R.CR9346, 1)) & 1;
    };
    for (let round = 0; round < 120; round++) {
      await drive(0x80);
      if (chance.below(4) !== 0) await drive(0x88);
      const command = chance.below(4) === 0 ? chance.below(512) : 0x180 | chance.below(64);
      const answers: number[] = [];
      for (let bit = 8; bit >= 0; bit--) answers.push(await clock((command >> bit) & 1));
      for (let count = chance.of([16, 16, 17, 40]); count > 0; count--) answers.push(await clock(chance.below(2)));
      say(`${hex(command)}: ${answers.join('')}`);
      for (let noise = chance.below(5); noise > 0; noise--) await drive(chance.of([chance.below(256), 0x80, 0x8e]));
      say(`noise ${hex(await station.read(R.CR9346, 1))}`);
    }
  };

/** Registers about the wire, which are written and reset while cables come and go. */
export const phyRegisters =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    await station.place();
    const chance = new Chance(seed);
    await station.write(R.IMR, 0x20, 2);
    const registers = [R.BMCR, R.BMSR, R.ANAR, R.ANLPAR, R.ANER, R.CSCR];
    for (let count = 0; count < 120; count++) {
      const value = chance.of([0, 0x8000, 0x1200, 0x9000, 0xffff, chance.below(0x1_0000)]);
      if (chance.below(8) === 0) await station.machine.link(chance.coin);
      else await station.write(chance.of(registers), value, 2);
      const values: string[] = [];
      for (const register of registers) values.push(hex(await station.read(register, 2)));
      say(`${values.join(' ')} media ${hex(await station.read(R.MSR, 1))} raised ${await station.isRaised()}`);
      if (chance.coin) say(`causes ${await station.causes()}`);
      if (chance.below(12) === 0) await station.write(R.CR, 0x10, 1);
      await station.write(R.IMR, 0x20, 2);
    }
  };

/** Accesses of any width that begin anywhere, over the ends of registers. */
export async function oddAccesses(station: Station, say: Say): Promise<void> {
  await station.place();
  const { machine, bar } = station;
  const chance = new Chance(20);
  for (let count = 0; count < 400; count++) {
    const at = chance.of([R.IDR, R.MAR, R.IMR, R.MULINT, R.CONFIG0, R.ANAR, R.ETTHR, 0xf8]) + chance.below(8);
    const length = Math.min(chance.of([1, 2, 3, 4, 5, 8]), WINDOW_BYTES - at);
    if (chance.coin)
      await machine.poke(
        bar + at,
        Uint8Array.from({ length }, () => chance.below(256)),
      );
    else say(`${hex(at)} ${length} ${hexadecimal(await machine.peek(bar + at, length))}`);
  }
}

/** Causes and their mask; the timer while time goes on. Intervals are long, and so is what is waited. */
export async function timer(station: Station, say: Say): Promise<void> {
  await station.place();
  const look = async (what: string): Promise<void> => {
    say(`${what}: raised ${await station.isRaised()} causes ${hex(await station.read(R.ISR, 2))}`);
  };
  const MS = 1_000_000 / 30;
  for (const mask of [0x4000, 0]) {
    await station.write(R.IMR, mask, 2);
    await station.write(R.TCTR, 0);
    await station.write(R.TIMERINT, Math.floor(300 * MS));
    await look('at first');
    await station.machine.pass(100);
    await look('in between');
    await station.machine.pass(300);
    await look('behind it');
    say(`taken ${await station.causes()}`);
    await station.machine.pass(300);
    await look('it is not there twice');
    const counted = await station.read(R.TCTR);
    say(`counted ${counted > 600 * MS && counted < 2000 * MS}`);
    await station.write(R.TCTR, 0);
    const anew = await station.read(R.TCTR);
    say(`anew ${anew < 200 * MS}`);
    await station.write(R.HLTCLK, 0x48, 1);
    await station.machine.pass(500);
    await look('without a clock');
    await station.write(R.HLTCLK, 0x52, 1);
    await station.write(R.TCTR, 0x1234);
    await station.write(R.TIMERINT, 0);
    await station.machine.pass(500);
    await look('not at all');
    await station.write(R.TIMERINT, Math.floor(200 * MS));
    await station.write(R.CR, 0x10, 1);
    await station.machine.pass(500);
    await look('behind a reset');
  }
}
