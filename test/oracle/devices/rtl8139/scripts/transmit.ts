/** Frames that are sent: from slots, and from descriptors. */
import { R } from '../../../../../src/devices/rtl8139/registers.ts';
import { BROADCAST, type Built, MAC_LIKE, noise, packet } from '../../nic/frames.ts';
import { Chance } from '../../workloads.ts';
import { bytesText, hex, type Say, type Station } from '../station.ts';

const RING = 0x10_0000;
const DATA = 0x20_0000;
const TALLY = 0x30_0000;
const SIZE = 64;
const [OWN, END, FIRST, LAST] = [0x8000_0000, 0x4000_0000, 0x2000_0000, 0x1000_0000];
const LARGE = 0x0800_0000;
const TAG = 0x2_0000;

async function showFrames({ machine }: Station, say: Say): Promise<void> {
  for (const frame of await machine.frames()) say(`frame ${frame.length} ${bytesText(frame)}`);
}

/** Slots of the C mode, mostly in turn. */
export const slots =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const chance = new Chance(seed);
    await station.place();
    await station.write(R.CR, 0x0c, 1);
    await station.write(R.IMR, 0x04, 2);
    let turn = 0;
    for (let round = 0; round < 60; round++) {
      const slot = chance.below(6) === 0 ? chance.below(4) : turn;
      const length = chance.of([0, 1, 13, 59, 60, 100, 1514, 1518, 1792, 0x1fff, chance.below(0x2000)]);
      await station.machine.poke(DATA, Uint8Array.from([...MAC_LIKE, ...noise(chance, Math.min(length, 3000))]));
      await station.write(R.TSAD + 4 * slot, DATA);
      const bits = chance.of([0, 0, 0, 0x3f_0000, 0x2000, 0xffff_c000]);
      await station.write(R.TSD + 4 * slot, bits | length);
      const states: string[] = [];
      for (let at = 0; at < 4; at++) states.push(hex(await station.read(R.TSD + 4 * at)));
      say(`slot ${slot} ${hex(bits | length)}: ${states.join(' ')} ${hex(await station.read(R.TSADS, 2))}`);
      if ((await station.read(R.ISR, 2)) !== 0) turn = (turn + 1) % 4;
      say(`raised ${await station.isRaised()} causes ${await station.causes()}`);
      if (round % 4 === 3) await showFrames(station, say);
      if (round === 40) {
        await station.write(R.CR, 0x08, 1);
        turn = 0;
      }
      if (round === 50) await station.write(R.CR, 0x1c, 1);
    }
    await showFrames(station, say);
  };

/** Four words of a descriptor. */
type Words = readonly [number, number, number, number];

/** The driver's half of the ring of descriptors. */
class Ring {
  readonly station: Station;
  tail = 0;
  #data = 0;
  /** First words of the descriptors, as they were when they were looked at last. */
  readonly #seen = new Array<number>(SIZE).fill(0);

  constructor(station: Station) {
    this.station = station;
  }

  async begin(tcr?: number): Promise<void> {
    const { station } = this;
    await station.place();
    await station.write(R.CPCR, 0x03, 2);
    await station.write(R.TSAD, RING);
    await station.write(R.TSAD + 4, 0);
    await station.write(R.CR, 0x04, 1);
    await station.write(R.IMR, 0x04, 2);
    if (tcr !== undefined) await station.write(R.TCR, tcr);
  }

  /** Put a descriptor behind the others. */
  async put(words: Words): Promise<void> {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (const [at, value] of words.entries()) view.setUint32(4 * at, value >>> 0, true);
    await this.station.machine.poke(RING + 16 * this.tail, bytes);
    this.#seen[this.tail] = words[0] >>> 0;
    this.tail = (words[0] & END) !== 0 ? 0 : (this.tail + 1) % SIZE;
  }

  async store(bytes: readonly number[]): Promise<number> {
    const at = DATA + this.#data;
    await this.station.machine.poke(at, Uint8Array.from(bytes));
    this.#data = (this.#data + bytes.length + 7) & 0x7_fff8;
    return at;
  }

  async kick(value = 0x40): Promise<void> {
    await this.station.write(R.TPPOLL, value, 1);
  }

  async show(say: Say): Promise<void> {
    const { station } = this;
    await showFrames(station, say);
    const changed: string[] = [];
    for (let at = 0; at < SIZE; at++) {
      const word = await station.machine.read(RING + 16 * at, 4);
      if (word !== this.#seen[at]) changed.push(`${at}:${hex(word)}`);
      this.#seen[at] = word;
    }
    say(`ring ${changed.join(' ')}`);
    say(`raised ${await station.isRaised()} causes ${await station.causes()}`);
  }
}

/** Bytes in pieces, in descriptors of their own. */
async function pieces(ring: Ring, chance: Chance, bytes: readonly number[], flags: number, word1 = 0): Promise<void> {
  const many = 1 + chance.below(3);
  const inner = Array.from({ length: many - 1 }, () => chance.below(bytes.length + 1)).sort((a, b) => a - b);
  const cuts = [0, ...inner, bytes.length];
  for (let at = 0; at < many; at++) {
    const some = bytes.slice(cuts[at]!, cuts[at + 1]!);
    const part = (at === 0 ? FIRST : 0) | (at === many - 1 ? LAST : 0);
    const end = ring.tail === SIZE - 1 || chance.below(20) === 0 ? END : 0;
    await ring.put([OWN | part | end | flags | some.length, word1, await ring.store(some), 0]);
  }
}

const tagWord = (chance: Chance): number => (chance.below(3) === 0 ? TAG | chance.below(0x1_0000) : 0);

async function plain(ring: Ring, chance: Chance): Promise<void> {
  const length = chance.of([0, 1, 13, 46, 50, 114, 1500, chance.below(3000)]);
  await pieces(ring, chance, [...chance.of([BROADCAST, MAC_LIKE]), ...noise(chance, length)], 0, tagWord(chance));
}

/** What a driver changes of a packet that is right. */
function damaged(chance: Chance, { bytes }: Built): number[] {
  const all = [...bytes];
  if (chance.below(4) === 0) all.push(...noise(chance, chance.below(40)));
  if (chance.below(4) === 0) all[14 + chance.below(40)] = chance.below(256);
  if (chance.below(8) === 0) all.length = 14 + chance.below(40);
  return all;
}

async function summed(ring: Ring, chance: Chance): Promise<void> {
  const built = packet(chance, chance.of([0, 1, 18, 19, 700, 1400]));
  await pieces(ring, chance, damaged(chance, built), (1 + chance.below(7)) << 16, tagWord(chance));
}

async function cut(ring: Ring, chance: Chance): Promise<void> {
  const segment = chance.of([0, 1, 100, 536, 1460, 2047]);
  const least = Math.max(segment, 40);
  const payload = chance.of([0, 1, least - 1, least, least + 1, 3 * least, 3 * least + 5]);
  const built = packet(chance, segment === 1 ? 30 : payload);
  await pieces(ring, chance, damaged(chance, built), LARGE | (segment << 16), tagWord(chance));
}

/** Packets as drivers send them, several at a time. */
export const packets =
  (seed: number, kinds: readonly ('plain' | 'summed' | 'cut')[]) =>
  async (station: Station, say: Say): Promise<void> => {
    const ring = new Ring(station);
    const chance = new Chance(seed);
    await ring.begin();
    const make = { plain, summed, cut };
    for (let round = 0; round < 40; round++) {
      for (let count = 1 + chance.below(4); count > 0; count--) await make[chance.of(kinds)](ring, chance);
      await ring.kick();
      await ring.show(say);
    }
    say(await station.tally(TALLY));
  };

/** The ring ends in the middle of packets, or they have no beginning. */
export const inParts =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const ring = new Ring(station);
    const chance = new Chance(seed);
    await ring.begin();
    for (let round = 0; round < 60; round++) {
      const part = chance.of([FIRST, FIRST, FIRST | LAST, LAST, LAST, 0, 0]);
      const some = noise(chance, chance.of([0, 1, 20, 700]));
      const large = chance.below(4) === 0 ? LARGE | (100 << 16) : 0;
      await ring.put([OWN | part | large | some.length, 0, await ring.store(some), 0]);
      if (chance.coin) await ring.kick(chance.of([0x40, 0xc0, 0x80, 0xff]));
      await ring.show(say);
    }
    say(await station.tally(TALLY));
  };

/** Long packets, wherever memory is or not, and rings that say nonsense. */
export async function odd(station: Station, say: Say): Promise<void> {
  const ring = new Ring(station);
  const chance = new Chance(9);
  await ring.begin();
  const at = await ring.store(noise(chance, 4096));
  for (const [length, many, high] of [
    ...([
      [60, 1, 1],
      [0xffff, 1, 0],
      [0xffff, 2, 0],
      [40_000, 3, 0],
    ] as const),
    ...([
      [60, 1, 0xffff_ffff],
      [2000, 40, 0],
    ] as const),
  ]) {
    for (let count = 0; count < many; count++) {
      const part = (count === 0 ? FIRST : 0) | (count === many - 1 ? LAST : 0);
      await ring.put([OWN | part | length, 0, at, high]);
    }
    await ring.kick();
    await ring.show(say);
  }
  // 64 at a time: a ring of one that never ends.
  await ring.put([OWN | FIRST | LAST | 60, 0, at, 0]);
  await ring.kick();
  await ring.show(say);
  for (const [cpcr, cr] of [
    [1, 4],
    [0, 4],
    [3, 8],
    [3, 4],
  ] as const) {
    await station.write(R.CPCR, cpcr, 2);
    await station.write(R.CR, cr, 1);
    ring.tail = 0;
    await ring.put([OWN | FIRST | LAST | 60, 0, at, 0]);
    await ring.kick();
    say(`mode ${cpcr} command ${cr}`);
    await ring.show(say);
  }
  // Without the right to be master it reads zeroes, and writes nothing.
  await station.place(3);
  await ring.kick();
  await ring.show(say);
  say(await station.tally(TALLY));
}
