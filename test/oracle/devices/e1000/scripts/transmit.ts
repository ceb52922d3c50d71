/** Descriptors of the transmit ring, right ones and wrong ones. */
import { R } from '../../../../../src/devices/e1000/registers.ts';
import { Chance } from '../../workloads.ts';
import { bytesText, hex, type Say, type Station } from '../station.ts';
import { BROADCAST, type Built, MAC_LIKE, noise, packet } from '../../nic/frames.ts';
import { STATISTICS } from './statistics.ts';

const RING = 0x10_0000;
const DATA = 0x20_0000;
const SIZE = 64;

const CMD = { eop: 0x0100_0000, report: 0x0800_0000, sent: 0x1000_0000, extended: 0x2000_0000 } as const;
const MORE = { tagged: 0x4000_0000, delayed: 0x8000_0000, data: 0x10_0000, segment: 0x0400_0000 } as const;
const CONTEXT = { tcp: 0x0100_0000, ipv4: 0x0200_0000, segment: 0x0400_0000 } as const;

/** Four words of a descriptor. */
type Words = readonly [number, number, number, number];

/** The driver's half of the ring. */
export class Ring {
  readonly station: Station;
  #tail = 0;
  #data = 0;
  /** Last words of the descriptors, as they were when they were looked at last. */
  readonly #seen = new Array<number>(SIZE).fill(0);

  constructor(station: Station) {
    this.station = station;
  }

  async begin(ctrl = 0x0014_0240): Promise<void> {
    await this.station.place();
    await this.station.write(R.CTRL, ctrl);
    await this.station.write(R.TDBAL, RING);
    await this.station.write(R.TDLEN, 16 * SIZE);
    await this.station.write(R.TCTL, 2);
  }

  get tail(): number {
    return this.#tail;
  }

  /** Put a descriptor behind the others. */
  async put(words: Words): Promise<void> {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (const [at, value] of words.entries()) view.setUint32(4 * at, value >>> 0, true);
    await this.station.machine.poke(RING + 16 * this.#tail, bytes);
    this.#tail = (this.#tail + 1) % SIZE;
  }

  /** Put bytes somewhere: where. */
  async store(bytes: readonly number[]): Promise<number> {
    const at = DATA + this.#data;
    await this.station.machine.poke(at, Uint8Array.from(bytes));
    this.#data = (this.#data + bytes.length + 7) & 0xf_fff8;
    return at;
  }

  async kick(): Promise<void> {
    await this.station.write(R.TDT, this.#tail);
  }

  /** What has become of it. */
  async show(say: Say): Promise<void> {
    const { station } = this;
    for (const frame of await station.machine.frames()) say(`frame ${frame.length} ${bytesText(frame)}`);
    const changed: string[] = [];
    for (let at = 0; at < SIZE; at++) {
      const upper = await station.machine.read(RING + 16 * at + 12, 4);
      if (upper !== this.#seen[at]) changed.push(`${at}:${hex(upper)}`);
      this.#seen[at] = upper;
    }
    say(`ring ${changed.join(' ')}`);
    say(`head ${await station.read(R.TDH)} causes ${hex(await station.read(R.ICR))}`);
  }
}

const contextWords = (built: Built, segment: number, header: number, payload: number): Words => [
  built.ipStart | (built.ipSum << 8) | (built.ipEnd << 16),
  built.transportStart | (built.transportSum << 8),
  CMD.extended |
    (built.isIpv4 ? CONTEXT.ipv4 : 0) |
    (built.isTcp ? CONTEXT.tcp : 0) |
    (segment > 0 ? CONTEXT.segment : 0) |
    payload,
  (header << 8) | (segment << 16),
];

/** Bytes in pieces, in descriptors of their own. */
async function pieces(
  ring: Ring,
  chance: Chance,
  bytes: readonly number[],
  command: number,
  upper: number,
): Promise<void> {
  const many = 1 + chance.below(4);
  const cuts = [
    0,
    ...Array.from({ length: many - 1 }, () => chance.below(bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ];
  for (let at = 0; at < many; at++) {
    const some = bytes.slice(cuts[at]!, cuts[at + 1]!);
    const last = at === many - 1 ? CMD.eop : 0;
    const report = chance.of([CMD.report, CMD.report, CMD.sent, 0, CMD.report | MORE.delayed]);
    await ring.put([await ring.store(some), 0, command | last | report | some.length, upper]);
  }
}

async function legacy(ring: Ring, chance: Chance): Promise<void> {
  const destination = chance.of([BROADCAST, MAC_LIKE, [1, 0, 0x5e, 0, 0, 1]]);
  const length = chance.of([0, 1, 13, 46, 50, 51, 114, 241, 242, 497, 1009, 1010, 1500, chance.below(3000)]);
  // A tag comes behind two addresses; where those are cut short QEMU sends what is left of older packets.
  const tag = chance.below(4) === 0 && length >= 6 ? MORE.tagged : 0;
  const status = chance.of([0, 0xe, 0xff]);
  await pieces(ring, chance, [...destination, ...noise(chance, length)], tag, status | (chance.below(0x1_0000) << 16));
}

async function offloaded(ring: Ring, chance: Chance): Promise<void> {
  const built = packet(chance, chance.of([0, 1, 18, 19, 700, 1400]));
  if (chance.below(4) !== 0) await ring.put(contextWords(built, 0, 0, 0));
  const tag = chance.below(4) === 0 ? MORE.tagged : 0;
  await pieces(
    ring,
    chance,
    built.bytes,
    CMD.extended | MORE.data | tag,
    (chance.below(4) << 8) | (chance.below(0x1_0000) << 16),
  );
}

async function segmented(ring: Ring, chance: Chance): Promise<void> {
  const segment = chance.of([100, 536, 1460]);
  const payload = chance.of([1, segment - 1, segment, segment + 1, 3 * segment, 3 * segment + 5, chance.below(9000)]);
  const built = packet(chance, payload);
  await ring.put(contextWords(built, segment, built.header, payload));
  const tag = chance.below(4) === 0 ? MORE.tagged : 0;
  await pieces(
    ring,
    chance,
    built.bytes,
    CMD.extended | MORE.data | MORE.segment | tag,
    0x300 | (chance.below(0x1_0000) << 16),
  );
}

/** Packets as drivers send them, several at a time. */
export const packets =
  (seed: number, ctrl?: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const ring = new Ring(station);
    const chance = new Chance(seed);
    await ring.begin(ctrl);
    for (let round = 0; round < 30; round++) {
      const many = 1 + chance.below(4);
      for (let count = 0; count < many; count++) await chance.of([legacy, offloaded, segmented])(ring, chance);
      await ring.kick();
      await ring.show(say);
      // A read of one counter clears no other.
      if (round % 8 === 3) say(await station.values({ GPTC: R.GPTC, GOTCH: R.GOTCH, TOTL: R.TOTL }));
      if (round % 8 === 5) say(await station.values({ TPT: R.TPT, GOTCL: R.GOTCL, TOTH: R.TOTH }));
      if (round % 8 === 7) say(await station.values(STATISTICS));
    }
    say(await station.values(STATISTICS));
  };

/** The ring ends in the middle of packets; contexts change there. */
export const inParts =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const ring = new Ring(station);
    const chance = new Chance(seed);
    await ring.begin(0x4014_0240);
    for (let round = 0; round < 40; round++) {
      const before = ring.tail;
      await chance.of([legacy, offloaded, segmented])(ring, chance);
      for (let at = before; at !== ring.tail; ) {
        at = (at + 1 + chance.below((ring.tail - at + SIZE) % SIZE || 1)) % SIZE;
        await station.write(R.TDT, at);
        if (chance.below(6) === 0) say(`causes ${hex(await station.read(R.ICR))}`);
      }
      await ring.show(say);
    }
    say(await station.values(STATISTICS));
  };

/**
 * Descriptors nobody would write. Where QEMU would send what older packets left in its buffers they are a little less
 * wild: a tag needs the two addresses before it, and what is cut has a header of its own.
 */
export const wild =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    const ring = new Ring(station);
    const chance = new Chance(seed);
    await ring.begin(chance.of([0x0014_0240, 0x4014_0240]));
    const bytes = await ring.store(noise(chance, 4096));
    for (let round = 0; round < 60; round++) {
      if (chance.coin) await ring.put(wildContext(chance));
      for (const words of wildPacket(chance, bytes)) {
        await ring.put(words);
        if (chance.coin) await ring.kick();
      }
      if (round % 6 === 5) {
        await ring.kick();
        await ring.show(say);
      }
    }
    // Of a frame of no bytes QEMU looks at what an older one left: whether that was for many.
    const { MPTC: _, ...others } = STATISTICS;
    say(await station.values(others));
  };

function wildContext(chance: Chance): Words {
  const starts = (): number => chance.below(2 ** 16) | (chance.below(3000) << 16);
  const length = chance.of([0, 5000, 0xf_ffff]);
  const segment = chance.of([0, 700, 1460, 30_000, 65_535]);
  const header = 14 + chance.below(242);
  return [starts(), starts(), CMD.extended | (chance.below(8) << 24) | length, (segment << 16) | (header << 8)];
}

function wildPacket(chance: Chance, bytes: number): Words[] {
  const kind = chance.of([0, CMD.extended | MORE.data, CMD.extended | MORE.data | MORE.segment]);
  const many = 1 + chance.below(4);
  const isTagged = kind !== (CMD.extended | MORE.data | MORE.segment) && chance.below(3) === 0;
  const lengths = isTagged ? [60, 500, 4000] : [0, 1, 60, 500, 4000, 40_000, 65_535];
  return Array.from({ length: many }, (_, at): Words => {
    const report = chance.coin ? CMD.report : 0;
    const command = kind | report | (isTagged ? MORE.tagged : 0) | (at === many - 1 ? CMD.eop : 0);
    // Where there is no memory it reads zeroes.
    const high = chance.of([0, 0, 0, 0, 1, 0xffff_ffff]);
    return [bytes + chance.below(1000), high, command | chance.of(lengths), chance.below(4) << 8];
  });
}

/** Registers of the ring say nonsense. */
export async function oddRings(station: Station, say: Say): Promise<void> {
  const ring = new Ring(station);
  await ring.begin();
  for (let at = 0; at < SIZE; at++) await ring.put([DATA, 0, CMD.eop | CMD.report | (20 + at), 0]);
  await station.machine.poke(
    DATA,
    Uint8Array.from({ length: 256 }, (_, at) => at),
  );
  for (const [length, head, tail, enabled] of [
    ...[
      [128, 0, 8, 2],
      [128, 3, 3, 2],
      [128, 9, 2, 2],
      [128, 8, 0, 2],
      [128, 8, 3, 2],
      [0, 0, 4, 2],
      [0, 1, 4, 2],
      [256, 2, 40, 2],
    ],
    ...[
      [1024, 60, 4, 2],
      [1024, 5, 9, 0],
      [1024, 5, 5, 2],
      [1024, 63, 64, 2],
    ],
  ] as const) {
    await station.write(R.TCTL, 0);
    await station.write(R.TDT, 0);
    await station.write(R.TDLEN, length!);
    await station.write(R.TDH, head!);
    await station.write(R.TDT, tail!);
    await station.write(R.TCTL, enabled!);
    say(`length ${length} head ${head} tail ${tail}`);
    await ring.show(say);
  }
  // Without the right to be master it reads zeroes, and writes nothing.
  await station.place(3);
  await station.write(R.TDH, 0);
  await station.write(R.TDT, 5);
  await ring.show(say);
  say(await station.values(STATISTICS));
}

/** Descriptors that want to be told late. */
export async function delayed(station: Station, say: Say): Promise<void> {
  const ring = new Ring(station);
  await ring.begin();
  await station.write(R.TADV, 0xffff);
  await station.write(R.IMS, 3);
  const at = await ring.store(new Array<number>(60).fill(7));
  for (const bits of [0, MORE.delayed, CMD.report, CMD.report | MORE.delayed]) {
    await ring.put([at, 0, (CMD.eop | bits | 60) >>> 0, 0]);
    await ring.kick();
    say(`${hex(bits >>> 0)} causes ${hex(await station.read(R.ICR))}`);
    await station.write(R.ICS, 2);
    await station.machine.pass(20);
    say(`raised ${await station.isRaised()}`);
    await station.machine.pass(60);
    say(`raised ${await station.isRaised()}`);
    await station.read(R.ICR);
    await station.machine.pass(100);
  }
}

/** Checksums at the ends of frames, and a packet whose context comes again in the middle of it. */
export async function edges(station: Station, say: Say): Promise<void> {
  const ring = new Ring(station);
  const chance = new Chance(21);
  await ring.begin();
  const bytes = noise(chance, 100);
  const at = await ring.store(bytes);
  for (const length of [60, 61]) {
    for (const sum of [length - 3, length - 2, length - 1, length, 0]) {
      for (const end of [0, 20, length - 2, length - 1, length]) {
        await ring.put([14 | (sum << 8) | (end << 16), 14 | (sum << 8) | (end << 16), CMD.extended, 0]);
        const upper = chance.of([0x100, 0x200]);
        await ring.put([at, 0, (CMD.extended | MORE.data | CMD.eop | length) >>> 0, upper]);
        await ring.kick();
        await ring.show(say);
      }
    }
  }
  const built = packet(chance, 1000);
  const where = await ring.store(built.bytes);
  const half = built.header + 350;
  const command = CMD.extended | MORE.data | MORE.segment;
  await ring.put(contextWords(built, 100, built.header, 1000));
  await ring.put([where, 0, command | half, 0x300]);
  await ring.put(contextWords(built, 100, built.header, 600));
  await ring.put([where + half, 0, command | CMD.eop | (built.bytes.length - half), 0x300]);
  await ring.kick();
  await ring.show(say);
  say(await station.values(STATISTICS));
}
