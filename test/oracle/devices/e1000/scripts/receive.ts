/** Frames that come: filters, buffers, tags. */
import { R, RCTL } from '../../../../../src/devices/e1000/registers.ts';
import { hexadecimal } from '../../../../../src/base/bytes.ts';
import { Chance } from '../../workloads.ts';
import { bytesText, hex, MAC, type Say, type Station } from '../station.ts';
import { BROADCAST, noise, OTHER, word } from '../../nic/frames.ts';
import { STATISTICS } from './statistics.ts';

const RING = 0x10_0000;
const BUFFERS = 0x40_0000;
const STRIDE = 0x4000;
const SIZE = 16;
/** Longer than the time for which RCTL keeps frames waiting. */
const READY = 1100;

export class ReceiveRing {
  readonly station: Station;

  constructor(station: Station) {
    this.station = station;
  }

  async begin(rctl: number, tail = SIZE - 1): Promise<void> {
    const { station } = this;
    await station.place();
    await station.write(R.RDBAL, RING);
    await station.write(R.RDLEN, 16 * SIZE);
    await station.write(R.RDH, 0);
    for (let at = 0; at < SIZE; at++) await this.put(at, BUFFERS + STRIDE * at);
    await station.write(R.RCTL, rctl);
    await station.write(R.RDT, tail);
    await station.machine.pass(READY);
  }

  async put(at: number, gpa: number, rest = 0): Promise<void> {
    const bytes = new Uint8Array(16).fill(rest, 8);
    new DataView(bytes.buffer).setUint32(0, gpa, true);
    await this.station.machine.poke(RING + 16 * at, bytes);
  }

  /** Descriptors from one place on up to the head, and the first bytes of their buffers. */
  async show(from: number, say: Say): Promise<number> {
    const { machine } = this.station;
    const head = await this.station.read(R.RDH);
    for (let at = from; at !== head; at = (at + 1) % SIZE) {
      const bytes = await machine.peek(RING + 16 * at, 16);
      const [gpa, length] = [new DataView(bytes.buffer).getUint32(0, true), bytes[8]! | (bytes[9]! << 8)];
      say(`descriptor ${at} ${hexadecimal(bytes.subarray(8))}`);
      if (gpa !== 0) say(bytesText(await machine.peek(gpa, Math.min(length, 2048))));
    }
    say(`head ${head} causes ${hex(await this.station.read(R.ICR))}`);
    return head;
  }
}

const GROUP = [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb];
const PAUSE = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x01];

const frameTo = (chance: Chance, to: readonly number[], type: readonly number[], length: number): Uint8Array =>
  Uint8Array.from([...to, ...OTHER, ...type, ...noise(chance, length)]);

const untagged = [0x88, 0xb5];

/** Whom frames are for. */
export const filters =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const chance = new Chance(seed);
    const ring = new ReceiveRing(station);
    let at = 0;
    for (const bits of [
      0,
      RCTL.broadcast,
      RCTL.unicastPromiscuous,
      RCTL.multicastPromiscuous,
      RCTL.vlanFilter,
      0x3000,
    ]) {
      await ring.begin(RCTL.enable | bits);
      at = 0;
      await station.write(R.MTA + 4 * chance.below(128), 0xffff_ffff);
      for (const [register, value] of groupBits(GROUP, bits)) await station.write(register, value);
      await station.write(R.RA + 8, 0x00ab_cdef);
      await station.write(R.RA + 12, chance.coin ? 0x8000_1234 : 0x1234);
      await station.write(R.VFTA + 4 * 3, 1 << 4);
      await station.write(R.VFTA + 4 * 0x4b, 1 << 5);
      for (const to of [MAC, OTHER, BROADCAST, GROUP, PAUSE, [0xef, 0xcd, 0xab, 0, 0x34, 0x12]]) {
        const tag = chance.of([untagged, ...[0x2064, 0x65, 0x0965, 0x165].map((tci) => [0x81, 0, ...word(tci)])]);
        await station.machine.offer(frameTo(chance, to, tag, 50));
        say(`${hex(bits)} to ${hexadecimal(Uint8Array.from(to))} type ${hexadecimal(Uint8Array.from(tag))}`);
        at = await ring.show(at, say);
        await station.write(R.RDT, (at + SIZE - 1) % SIZE);
      }
    }
    say(await station.values(STATISTICS));
  };

/** The bit of the multicast table an address goes by, as RCTL.MO says. */
function groupBits(to: readonly number[], rctl: number): readonly (readonly [number, number])[] {
  const shift = [4, 3, 2, 0][(rctl >>> 12) & 3]!;
  const bit = ((to[4]! | (to[5]! << 8)) >> shift) & 0xfff;
  return [[R.MTA + 4 * (bit >> 5), 1 << (bit & 31)]];
}

/** Of all lengths, into buffers of all lengths, with tags and without. */
export const lengths =
  (rctl: number, ctrl: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const chance = new Chance(rctl);
    const ring = new ReceiveRing(station);
    await ring.begin(RCTL.enable | RCTL.broadcast | RCTL.unicastPromiscuous | rctl);
    await station.write(R.CTRL, ctrl);
    let at = 0;
    for (const length of [...LENGTHS, ...LENGTHS.map((each) => each + 4)]) {
      const isTagged = chance.below(3) === 0;
      const bytes = [...MAC, ...OTHER, ...(isTagged ? [0x81, 0, 0xa0, 0x05] : untagged), ...noise(chance, length)];
      await station.machine.offer(Uint8Array.from(bytes.slice(0, length)));
      say(`${length} bytes${isTagged ? ', tagged' : ''}`);
      at = await ring.show(at, say);
      await station.write(R.RDT, (at + SIZE - 1) % SIZE);
      if (length % 16 === 0) say(await station.values(STATISTICS));
      else if (length % 4 === 0) say(await station.values({ GPRC: R.GPRC, GORCH: R.GORCH, TORL: R.TORL }));
    }
    say(await station.values(STATISTICS));
  };

const LENGTHS = [
  1, 13, 14, 17, 18, 59, 60, 61, 64, 250, 252, 256, 508, 511, 512, 1020, 1023, 1024, 1514, 1518, 1522, 1523, 2044, 2048,
  4096, 16_376, 16_380, 16_383, 16_384, 16_385, 40_000, 65_531,
];

/** Few buffers, none, and none where the descriptor is; thresholds. */
export const shortages =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const chance = new Chance(seed);
    const ring = new ReceiveRing(station);
    const longs = RCTL.enable | RCTL.broadcast | RCTL.longPackets | 0x0003_0000;
    let at = 0;
    for (const threshold of [0, 0x100, 0x200, 0x300]) {
      await ring.begin(longs | threshold, 2);
      at = 0;
      for (let count = 0; count < 20; count++) {
        const length = chance.of([60, 200, 300, 700, 1500, 5000]);
        if (chance.below(5) === 0) await ring.put(chance.below(SIZE), 0, chance.of([0, 0xff]));
        await station.machine.offer(frameTo(chance, BROADCAST, untagged, length - 14));
        say(`${hex(threshold)} ${length} bytes, tail ${await station.read(R.RDT)}`);
        at = await ring.show(at, say);
        if (chance.below(3) !== 0) await station.write(R.RDT, chance.below(SIZE));
        for (let each = 0; each < SIZE; each += 5) await ring.put(each, BUFFERS + STRIDE * each);
        await station.machine.pass(1);
        at = await ring.show(at, say);
      }
    }
    say(await station.values(STATISTICS));
  };

/** Frames come while the receiver is off, has no buffers, or waits. */
export async function waiting(station: Station, say: Say): Promise<void> {
  const ring = new ReceiveRing(station);
  const chance = new Chance(1);
  const { machine } = station;
  const frame = (): Uint8Array => frameTo(chance, BROADCAST, untagged, 50);
  await ring.begin(RCTL.enable | RCTL.broadcast, 0);
  let at = 0;
  const look = async (what: string): Promise<void> => {
    say(what);
    await machine.pass(1);
    at = await ring.show(at, say);
  };
  await machine.offer(frame());
  await machine.offer(frame());
  await look('no buffers');
  await station.write(R.RDT, 1);
  await look('one');
  await station.write(R.RDT, 8);
  await look('more');
  await station.write(R.RCTL, RCTL.enable | RCTL.broadcast | RCTL.stripCrc);
  await machine.offer(frame());
  await look('it waits');
  await machine.pass(READY);
  await look('no more');
  await station.config.write(4, 2, 3);
  await machine.offer(frame());
  await look('no master');
  await station.config.write(4, 2, 7);
  await look('master again');
  await machine.link(false);
  await machine.offer(frame());
  await look('no cable');
  await machine.link(true);
  await machine.pass(700);
  await look('cable');
  await station.write(R.RCTL, RCTL.broadcast);
  await machine.pass(READY);
  await machine.offer(frame());
  await look('off');
  await station.write(R.RCTL, RCTL.enable | RCTL.broadcast);
  await machine.pass(READY);
  await look('on again');
  say(await station.values(STATISTICS));
}

/** Registers of the ring say nonsense, and frames take one buffer or two. */
export async function oddReceiveRings(station: Station, say: Say): Promise<void> {
  const chance = new Chance(4);
  const ring = new ReceiveRing(station);
  await ring.begin(RCTL.enable | RCTL.broadcast | 0x3_0000);
  for (const [length, head, tail] of [
    ...([
      [128, 20, 5],
      [128, 9, 12],
      [128, 8, 2],
      [128, 7, 3],
      [0, 0, 4],
      [0, 5, 6],
      [256, 15, 40],
      [256, 3, 2],
    ] as const),
    ...([[128, 5, 20]] as const),
  ]) {
    for (const size of [60, 700]) {
      await station.write(R.RDLEN, length);
      await station.write(R.RDH, head);
      for (let at = 0; at < 24; at++) await ring.put(at, BUFFERS + STRIDE * at);
      await station.write(R.RDT, tail);
      await station.machine.offer(frameTo(chance, BROADCAST, untagged, size - 14));
      const words: string[] = [];
      for (let at = 0; at < 24; at++) words.push(hex(await station.machine.read(RING + 16 * at + 8, 4)));
      say(`length ${length} head ${head} tail ${tail}, ${size} bytes: ${words.join(' ')}`);
      say(`head ${await station.read(R.RDH)} causes ${hex(await station.read(R.ICR))}`);
    }
  }
  say(await station.values(STATISTICS));
}

/** Tags of which the table has a bit, or one nearby. */
export async function tags(station: Station, say: Say): Promise<void> {
  const chance = new Chance(5);
  const ring = new ReceiveRing(station);
  await ring.begin(RCTL.enable | RCTL.vlanFilter);
  const ids = [0, 0x1f, 0x20, 0x7ff, 0x800, 0x965, 0xfff];
  let at = 0;
  for (const id of ids) {
    for (let entry = 0; entry < 128; entry++) await station.write(R.VFTA + 4 * entry, 0);
    await station.write(R.VFTA + 4 * (id >> 5), 1 << (id & 31));
    for (const tci of ids) {
      await station.machine.offer(frameTo(chance, MAC, [0x81, 0, ...word(0xa000 | tci)], 50));
      say(`${hex(id)} ${hex(tci)} head ${await station.read(R.RDH)}`);
      at = await station.read(R.RDH);
      await station.write(R.RDT, (at + SIZE - 1) % SIZE);
    }
  }
}
