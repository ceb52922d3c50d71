/** Frames that come: into the ring, into descriptors, back from where they were sent. */
import { hexadecimal } from '../../../../../src/base/bytes.ts';
import { R } from '../../../../../src/devices/rtl8139/registers.ts';
import { BROADCAST, noise, OTHER, word } from '../../nic/frames.ts';
import { Chance } from '../../workloads.ts';
import { bytesText, hex, MAC, type Say, type Station } from '../station.ts';

const RING = 0x10_0000;
const BUFFERS = 0x40_0000;
const STRIDE = 0x2000;
const DATA = 0x20_0000;
const TALLY = 0x30_0000;
const SIZE = 16;
const [OWN, END] = [0x8000_0000, 0x4000_0000];

const untagged = [0x88, 0xb5];
const GROUPS = [
  [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb],
  [0x01, 0x80, 0xc2, 0x00, 0x00, 0x01],
  [0x33, 0x33, 0x00, 0x00, 0x00, 0x02],
];

const frameTo = (chance: Chance, to: readonly number[], type: readonly number[], length: number): Uint8Array =>
  Uint8Array.from([...to, ...OTHER, ...type, ...noise(chance, Math.max(0, length - 14))].slice(0, length));

async function begin(station: Station, rcr: number): Promise<void> {
  await station.place();
  await station.write(R.CR, 0x10, 1);
  await station.write(R.RBSTART, BUFFERS);
  await station.write(R.CR, 0x0c, 1);
  await station.write(R.RCR, rcr);
  await station.write(R.IMR, 0x0001, 2);
}

async function showRing(station: Station, say: Say): Promise<number> {
  const [read, write, empty] = [
    await station.read(R.CAPR, 2),
    await station.read(R.CBR, 2),
    await station.read(R.CR, 1),
  ];
  const raised = await station.isRaised();
  say(`ring ${hex(read)} ${hex(write)} ${hex(empty)} missed ${await station.read(R.MPC)} raised ${raised}`);
  say(`causes ${await station.causes()}`);
  return write;
}

/** Whom frames are for. */
export const filters =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const chance = new Chance(seed);
    for (const bits of [0, 0x1, 0x2, 0x4, 0x8, 0xe, 0xf]) {
      await begin(station, bits);
      for (let at = 0; at < 8; at += 4) await station.write(R.MAR + at, chance.below(2 ** 32));
      for (const to of [MAC, OTHER, BROADCAST, ...GROUPS]) {
        await station.machine.offer(frameTo(chance, to, untagged, 64));
        say(`${hex(bits)} to ${hexadecimal(Uint8Array.from(to))}`);
        const end = await showRing(station, say);
        say(bytesText(await station.machine.peek(BUFFERS + Math.max(0, end - 72), 72)));
      }
      await station.write(R.CPCR, 0, 2);
      say(await station.tally(TALLY));
    }
    // All groups there are, each in turn, by a table with one bit.
    await begin(station, 0x4);
    for (let bit = 0; bit < 64; bit += 3) {
      for (let at = 0; at < 8; at++) await station.write(R.MAR + at, at === bit >> 3 ? 1 << (bit & 7) : 0, 1);
      const taken: number[] = [];
      for (let last = 0; last < 24; last++) {
        await station.machine.offer(frameTo(chance, [1, 0, 0x5e, 0, bit, last], untagged, 60));
        if ((await station.read(R.ISR, 2)) !== 0) taken.push(last);
        await station.causes();
        await station.write(R.CAPR, (await station.read(R.CBR, 2)) - 0x10, 2);
      }
      say(`bit ${bit}: ${taken.join(' ')}`);
    }
  };

const LENGTHS = [1, 13, 14, 59, 60, 61, 63, 64, 65, 100, 252, 1023, 1514, 1515, 1518, 1522, 2048, 4000, 7000, 8184];

/** Of all lengths, into rings of all sizes, whose end comes in the middle of frames. */
export const lengths =
  (rcr: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const chance = new Chance(rcr);
    await begin(station, 0x0f | rcr);
    const size = 8192 << ((rcr >>> 11) & 3);
    for (const length of [...LENGTHS, ...LENGTHS, ...LENGTHS, 20_000, 60, 40_000, 60]) {
      await station.machine.offer(frameTo(chance, BROADCAST, untagged, length));
      say(`${length} bytes`);
      const end = await showRing(station, say);
      const from = Math.max(0, end - 64);
      say(bytesText(await station.machine.peek(BUFFERS + from, 64)));
      say(bytesText(await station.machine.peek(BUFFERS + size - 32, 64)));
      await station.write(R.CAPR, (end - 0x10) & 0xffff, 2);
      await station.machine.pass(0);
    }
    say(bytesText(await station.machine.peek(BUFFERS, 0x1_0000)));
  };

/** A driver that reads late: frames wait, or are missed. */
export const shortages =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const chance = new Chance(seed);
    const { machine } = station;
    for (const mask of [0x0001, 0x0011]) {
      await begin(station, 0x0f);
      await station.write(R.IMR, mask, 2);
      let seen = 0;
      for (let count = 0; count < 40; count++) {
        await machine.offer(frameTo(chance, BROADCAST, untagged, chance.of([60, 200, 700, 1514, 3000])));
        const end = await showRing(station, say);
        if (chance.below(4) === 0) {
          seen = chance.below(3) === 0 ? chance.below(0x1_0000) & ~3 : end;
          await station.write(R.CAPR, (seen - 0x10) & 0xffff, 2);
          await machine.pass(1);
          say(`read to ${hex(seen)}`);
          await showRing(station, say);
        }
      }
      await station.write(R.MPC, 7);
      say(`missed ${await station.read(R.MPC)}`);
      await station.write(R.CPCR, 0, 2);
      say(await station.tally(TALLY));
    }
  };

/** Frames come while the receiver is off, has no clock, no cable, or is reset. */
export async function waiting(station: Station, say: Say): Promise<void> {
  const chance = new Chance(1);
  const { machine } = station;
  const offer = async (what: string): Promise<void> => {
    await machine.offer(frameTo(chance, BROADCAST, untagged, 64));
    say(what);
    await showRing(station, say);
  };
  await begin(station, 0x0f);
  await offer('on');
  await station.write(R.CR, 0x04, 1);
  await offer('off');
  await station.write(R.CR, 0x0c, 1);
  await offer('on again');
  await station.write(R.HLTCLK, 0x48, 1);
  await offer('no clock');
  say(`clock ${await station.read(R.HLTCLK, 1)}`);
  await station.write(R.HLTCLK, 0x52, 1);
  await offer('clock');
  await station.config.write(4, 2, 3);
  await offer('no master');
  await station.config.write(4, 2, 7);
  await machine.link(false);
  await offer('no cable');
  await machine.link(true);
  await offer('cable');
  await station.write(R.CR, 0x10, 1);
  await offer('reset');
  await begin(station, 0x0f);
  await offer('begun anew');
  await machine.reset();
  await offer('the machine is reset');
  await begin(station, 0x0f);
  await offer('begun anew');
}

/** The driver's half of the ring of descriptors. */
class Ring {
  readonly station: Station;
  at = 0;

  constructor(station: Station) {
    this.station = station;
  }

  async begin(cpcr: number, rcr = 0x0f): Promise<void> {
    const { station } = this;
    await begin(station, rcr);
    await station.write(R.CPCR, cpcr, 2);
    await station.write(R.RDSAR, RING);
    await station.write(R.RDSAR + 4, 0);
    for (let at = 0; at < SIZE; at++) await this.put(at, OWN | 0x1fff, 0);
    this.at = 0;
  }

  async put(at: number, word0: number, word1: number, high = 0): Promise<void> {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    const words = [word0 | (at === SIZE - 1 ? END : 0), word1, BUFFERS + STRIDE * at, high];
    for (const [index, value] of words.entries()) view.setUint32(4 * index, value >>> 0, true);
    await this.station.machine.poke(RING + 16 * at, bytes);
  }

  /** The next descriptor, and its buffer. */
  async show(say: Say): Promise<void> {
    const { station, at } = this;
    const bytes = await station.machine.peek(RING + 16 * at, 16);
    const word0 = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    say(`descriptor ${at} ${hexadecimal(bytes)} missed ${await station.read(R.MPC)}`);
    say(`raised ${await station.isRaised()} causes ${await station.causes()}`);
    if ((word0 & 0x3000_0000) === 0) return;
    say(bytesText(await station.machine.peek(BUFFERS + STRIDE * at, word0 & 0x1fff)));
    this.at = (at + 1) % SIZE;
  }
}

/** Frames of all lengths into descriptors, with tags and without, of which some are taken out. */
export const descriptors =
  (cpcr: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const chance = new Chance(cpcr);
    const ring = new Ring(station);
    await ring.begin(cpcr);
    for (const length of [...LENGTHS, ...LENGTHS, 8187, 8188, 20_000, 60]) {
      const type = chance.coin ? [0x81, 0, ...word(chance.below(0x1_0000))] : untagged;
      await station.machine.offer(frameTo(chance, chance.of([BROADCAST, MAC, GROUPS[0]!]), type, length));
      say(`${length} bytes${type === untagged ? '' : ', tagged'}`);
      await ring.show(say);
      await ring.put((ring.at + 5) % SIZE, OWN | chance.of([0x1fff, 0x1fff, 1536, 64]), chance.below(2 ** 32));
    }
    say(await station.tally(TALLY));
  };

/** Descriptors the chip has not, and rings that are nowhere. */
export async function oddRings(station: Station, say: Say): Promise<void> {
  const chance = new Chance(2);
  const ring = new Ring(station);
  await ring.begin(0x03);
  const offer = async (what: string): Promise<void> => {
    await station.machine.offer(frameTo(chance, BROADCAST, untagged, 64));
    say(what);
    await ring.show(say);
  };
  await offer('there');
  await ring.put(1, 0x1fff, 0);
  await offer('not its own');
  await ring.put(1, OWN | 67, 0);
  await offer('too short');
  await ring.put(1, OWN | 68, 0xffff_ffff);
  await offer('just long enough');
  await ring.put(2, OWN | 0x1fff, 0, 1);
  await offer('no memory');
  await station.write(R.CR, 0x0c, 1);
  ring.at = 0;
  await ring.put(0, OWN | 0x1fff, 0);
  await offer('from the beginning');
  await station.write(R.RDSAR, 0);
  await offer('no ring');
  await station.write(R.RDSAR + 4, 0xffff_ffff);
  await offer('far away');
  await station.write(R.RDSAR, RING);
  await offer('far away still');
  await station.write(R.RDSAR + 4, 0);
  await station.write(R.CPCR, 0x01, 2);
  await offer('into the other ring');
  await showRing(station, say);
  say(await station.tally(TALLY));
}

const CPLUS = [0x8000_0000, 0x4000_0000, 0x2000_0000, 0x1000_0000].reduce((sum, bit) => sum + bit);

/** What is sent comes back. */
export async function loopback(station: Station, say: Say): Promise<void> {
  const chance = new Chance(3);
  const { machine } = station;
  await begin(station, 0x0f);
  await station.write(R.TCR, 0x6_0000);
  let slot = 0;
  const send = async (to: readonly number[], length: number): Promise<void> => {
    await machine.poke(DATA, frameTo(chance, to, untagged, length));
    await station.write(R.TSAD + 4 * slot, DATA);
    await station.write(R.TSD + 4 * slot, length);
    slot = (slot + 1) % 4;
    say(`${length} bytes to ${hexadecimal(Uint8Array.from(to))}: ${(await machine.frames()).length} frames`);
    const end = await showRing(station, say);
    say(bytesText(await machine.peek(BUFFERS + Math.max(0, end - 72), 72)));
  };
  for (const to of [MAC, OTHER, BROADCAST, GROUPS[1]!]) for (const length of [14, 60, 64, 700]) await send(to, length);
  await station.write(R.TCR, 0x2_0000);
  await send(MAC, 80);
  await station.write(R.TCR, 0x6_0000);
  await machine.link(false);
  await send(BROADCAST, 80);
  await machine.link(true);
  await send(BROADCAST, 80);
  const ring = new Ring(station);
  await ring.begin(0x43);
  await station.write(R.TCR, 0x6_0000);
  await station.write(R.TSAD, 0x11_0000);
  await station.write(R.TSAD + 4, 0);
  for (const [length, word1] of [
    [100, 0],
    [100, 0x2_1234],
    [20, 0x2_0007],
    [1500, 0x2_0765],
  ] as const) {
    await station.write(R.CR, 0x0c, 1);
    ring.at = 0;
    await ring.put(0, OWN | 0x1fff, 0);
    await machine.poke(DATA, frameTo(chance, BROADCAST, untagged, length));
    for (const [at, value] of [CPLUS | length, word1, DATA, 0].entries()) {
      await machine.write(0x11_0000 + 4 * at, 4, value >>> 0);
    }
    await station.write(R.TPPOLL, 0x40, 1);
    say(`${length} bytes ${hex(word1)}: ${(await machine.frames()).length} frames`);
    await ring.show(say);
  }
  say(await station.tally(TALLY));
}
