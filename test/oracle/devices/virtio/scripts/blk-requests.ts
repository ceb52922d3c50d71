/** Requests of every kind to a virtio block device, good and bad ones, over a ring that is in order. */
import { Driver, type DriverOptions, F, type Piece, type Queue } from '../driver.ts';
import { bytesOf, type Guest, hex, type Say } from '../guest.ts';

export const TYPE = { in: 0, out: 1, scsi: 2, flush: 4, id: 8, lifetime: 10, discard: 11, zeroes: 13 } as const;
/** All a block device offers that has something to do with requests. */
export const BLK_FEATURES = 0x6e54;

export const headerOf = (type: number, sector: number): Uint8Array =>
  Uint8Array.from([...bytesOf(type), 0, 0, 0, 0, ...bytesOf(sector, 8)]);

/** sector, count, flags: what a discard has as its data. */
export const rangeOf = (sector: number, count: number, flags: number): Uint8Array =>
  Uint8Array.from([...bytesOf(sector, 8), ...bytesOf(count), ...bytesOf(flags)]);

/** A driver at work with one queue, and memory for its requests. */
export interface Work {
  readonly driver: Driver;
  readonly queue: Queue;
  readonly header: number;
  readonly status: number;
  readonly data: number;
}

export async function atWork(guest: Guest, options: DriverOptions, say: Say, size?: number): Promise<Work> {
  const driver = new Driver(guest, options);
  await driver.place();
  const features = await driver.begin();
  const queue = await driver.queue(0, size);
  await driver.ready();
  say(`features accepted ${hex(features)}, queue size ${queue.ring.size}, status ${await driver.status()}`);
  const [header, status] = [driver.alloc(64, 16), driver.alloc(16, 16)];
  return { driver, queue, header, status, data: driver.alloc(8192) };
}

interface Request {
  readonly type: number;
  readonly sector?: number;
  readonly pieces?: readonly Piece[];
}

const hexBytes = (bytes: Uint8Array): string => [...bytes].map((byte) => hex(byte, 2)).join('');

export const blkRequests =
  (options: DriverOptions) =>
  async (guest: Guest, say: Say): Promise<void> => {
    const work = await atWork(guest, options, say);
    say(`after DRIVER_OK: ${await work.queue.state()}`);
    const ask = (name: string, request: Request): Promise<void> => one(work, say, name, request);
    const shown = async (at: number, length: number): Promise<void> =>
      say(`   data ${hexBytes(await guest.peek(work.data + at, length))}`);
    await transfers(work, ask, shown);
    await lookups(work, ask, shown);
    await ranges(work, ask);
    await oddities(work, ask);
    await burst(work, say);
    await notifications(work, say);
    guest.said().forEach(say);
  };

type Ask = (name: string, request: Request) => Promise<void>;
type Shown = (at: number, length: number) => Promise<void>;

/** The status byte begins as 0xee, so that one that was not written is seen. */
async function one(work: Work, say: Say, name: string, { type, sector = 0, pieces = [] }: Request): Promise<void> {
  const { driver, queue, header, status } = work;
  await driver.guest.poke(header, headerOf(type, sector));
  await driver.guest.write(status, 1, 0xee);
  const isIndirect = (driver.options.features & F.indirect) !== 0;
  await queue.add([[header, 16, false], ...pieces, [status, 1, true]], isIndirect);
  await queue.kick();
  const result = hex(await driver.guest.read(status, 1), 2);
  const interrupts = driver.options.hasMsix ? await driver.messages() : `isr ${await driver.isr()}`;
  say(`${name}: status ${result} ${await queue.state()} ${interrupts}`);
  driver.guest.said().forEach((line) => say(`   says ${line}`));
}

async function transfers({ data, driver }: Work, ask: Ask, shown: Shown): Promise<void> {
  await ask('IN sector 0, 512', { type: TYPE.in, pieces: [[data, 512, true]] });
  await shown(0, 16);
  await ask('IN sector 1, 100+412', {
    type: TYPE.in,
    sector: 1,
    pieces: [
      [data, 100, true],
      [data + 4096, 412, true],
    ],
  });
  await shown(96, 4);
  await shown(4096, 4);
  await driver.guest.poke(data, new Uint8Array(1024).fill(0x57));
  await ask('OUT sector 2, 1024', { type: TYPE.out, sector: 2, pieces: [[data, 1024, false]] });
  await ask('IN sector 2, 1024', { type: TYPE.in, sector: 2, pieces: [[data + 1024, 1024, true]] });
  await shown(1024, 4);
  await ask('OUT sector 3, 3 pieces', {
    type: TYPE.out,
    sector: 3,
    pieces: [
      [data + 8, 1, false],
      [data + 1, 510, false],
      [data, 1, false],
    ],
  });
  await ask('OUT with BARRIER', { type: 0x8000_0001, sector: 9, pieces: [[data, 512, false]] });
  await ask('IN 0 bytes', { type: TYPE.in });
  await ask('OUT 0 bytes', { type: TYPE.out });
  await ask('IN 100 bytes', { type: TYPE.in, pieces: [[data, 100, true]] });
  await ask('IN past the end', { type: TYPE.in, sector: 2048, pieces: [[data, 512, true]] });
  await ask('IN last sector', { type: TYPE.in, sector: 2047, pieces: [[data, 512, true]] });
  await ask('IN sector 2047, 1024', { type: TYPE.in, sector: 2047, pieces: [[data, 1024, true]] });
  await ask('OUT past the end', { type: TYPE.out, sector: 2047, pieces: [[data, 1024, false]] });
  await ask('IN sector 2^53-1', { type: TYPE.in, sector: 2 ** 53 - 1, pieces: [[data, 512, true]] });
  await ask('IN 0 bytes past the end', { type: TYPE.in, sector: 4096 });
  await ask('IN 0 bytes at the end', { type: TYPE.in, sector: 2048 });
}

async function lookups({ data, driver }: Work, ask: Ask, shown: Shown): Promise<void> {
  await driver.guest.poke(data, new Uint8Array(64).fill(0x57));
  await ask('FLUSH', { type: TYPE.flush });
  await ask('FLUSH sector 5', { type: TYPE.flush, sector: 5 });
  await ask('FLUSH with data', { type: TYPE.flush, pieces: [[data, 512, true]] });
  await ask('FLUSH as a write', { type: TYPE.flush + 1 });
  for (const length of [20, 8, 3, 7, 40]) {
    await driver.guest.poke(data, new Uint8Array(64).fill(0x57));
    await ask(`GET_ID ${length}`, { type: TYPE.id, pieces: [[data, length, true]] });
    await shown(0, 40);
  }
  await ask('GET_ID 0', { type: TYPE.id });
  await ask('GET_ID as a write', { type: TYPE.id + 1, pieces: [[data, 20, true]] });
  await ask('GET_ID in pieces', {
    type: TYPE.id,
    pieces: [
      [data, 2, true],
      [data + 16, 18, true],
    ],
  });
  await shown(0, 40);
}

async function ranges({ data, driver }: Work, ask: Ask): Promise<void> {
  const clear = async (name: string, type: number, range: Uint8Array): Promise<void> => {
    await driver.guest.poke(data, range);
    await ask(name, { type, pieces: [[data, range.length, false]] });
  };
  for (const [name, type] of [
    ['DISCARD', TYPE.discard],
    ['WRITE_ZEROES', TYPE.zeroes],
  ] as const) {
    await clear(`${name} sector 4 count 8`, type, rangeOf(4, 8, 0));
    await clear(`${name} unmap`, type, rangeOf(4, 8, 1));
    await clear(`${name} flags 2`, type, rangeOf(4, 8, 2));
    await clear(`${name} count 0`, type, rangeOf(4, 0, 0));
    await clear(`${name} past the end`, type, rangeOf(2040, 80, 0));
    await clear(`${name} past the end and flags`, type, rangeOf(2040, 80, 2));
    await clear(`${name} to the end`, type, rangeOf(2040, 8, 0));
    await clear(`${name} at the end, count 0`, type, rangeOf(2048, 0, 0));
    await clear(`${name} count 3fffff`, type, rangeOf(0, 0x3f_ffff, 0));
    await clear(`${name} count 400000`, type, rangeOf(0, 0x40_0000, 0));
    await clear(`${name} count ffffffff`, type, rangeOf(0, 0xffff_ffff, 0));
    await clear(`${name} two ranges`, type, Uint8Array.from([...rangeOf(4, 8, 0), ...rangeOf(20, 8, 0)]));
    await clear(`${name} 17 bytes`, type, Uint8Array.from([...rangeOf(4, 8, 0), 0]));
    await clear(`${name} as a read`, type - 1, rangeOf(4, 8, 0));
    await ask(`${name} with a writable range`, { type: type - 1, pieces: [[data, 16, true]] });
    await ask(`${name} with BARRIER`, { type: type + 0x8000_0000, pieces: [[data, 16, false]] });
  }
  await ask('IN of what was cleared', { type: TYPE.in, sector: 4, pieces: [[data, 4096, true]] });
}

async function oddities({ data }: Work, ask: Ask): Promise<void> {
  for (const type of [99, 3, 5, 6, 9, 12, 15, 0x7fff_ffff, 0x8000_0000]) {
    await ask(`type ${hex(type)}`, { type, pieces: [[data, 16, true]] });
  }
  await ask('SCSI_CMD', { type: TYPE.scsi, pieces: [[data, 16, true]] });
  await ask('SCSI_CMD, 2 writable', {
    type: TYPE.scsi,
    pieces: [
      [data, 16, false],
      [data + 64, 96, true],
      [data + 256, 16, true],
    ],
  });
  await ask('SCSI_CMD, 3 writable', {
    type: TYPE.scsi,
    pieces: [
      [data, 16, false],
      [data + 64, 4, true],
      [data + 128, 96, true],
      [data + 256, 16, true],
    ],
  });
  await ask('SCSI_CMD, no data', { type: TYPE.scsi });
  await ask('GET_LIFETIME', { type: TYPE.lifetime, pieces: [[data, 24, true]] });
  await ask('OUT with a writable piece', { type: TYPE.out, pieces: [[data, 512, true]] });
  await ask('IN with a readable piece', { type: TYPE.in, pieces: [[data, 512, false]] });
  await ask('IN with both', {
    type: TYPE.in,
    pieces: [
      [data, 512, false],
      [data + 1024, 512, true],
    ],
  });
}

async function interruptsOf(driver: Driver): Promise<string> {
  const isr = `isr ${await driver.isr()}`;
  return driver.options.hasMsix ? `${isr} ${await driver.messages()}` : isr;
}

/** One notification of several requests. */
async function burst(work: Work, say: Say): Promise<void> {
  const { driver, queue, header, status, data } = work;
  const isIndirect = (driver.options.features & F.indirect) !== 0;
  for (let count = 0; count < 4; count++) {
    await driver.guest.poke(header + 16, headerOf(TYPE.in, count));
    const piece: Piece = [data + 512 * count, 512, true];
    await queue.add([[header + 16, 16, false], piece, [status + 1 + count, 1, true]], isIndirect);
  }
  await queue.kick();
  const [state, interrupts] = [await queue.state(), await interruptsOf(driver)];
  say(`burst of 4: ${state} ${interrupts}`);
}

/** When the driver wants interrupts, and when not. */
async function notifications(work: Work, say: Say): Promise<void> {
  const { driver, queue, header, status, data } = work;
  const isIndirect = (driver.options.features & F.indirect) !== 0;
  const again = async (name: string): Promise<void> => {
    await queue.add(
      [
        [header + 16, 16, false],
        [data, 512, true],
        [status, 1, true],
      ],
      isIndirect,
    );
    await queue.kick();
    const [state, interrupts] = [await queue.state(), await interruptsOf(driver)];
    say(`${name}: ${state} ${interrupts}`);
  };
  if ((driver.options.features & F.eventIdx) === 0) {
    for (const flags of [1, 0, 0xfffe, 0xffff, 0]) {
      await queue.setFlags(flags);
      await again(`avail.flags ${hex(flags)}`);
    }
    return;
  }
  for (const ahead of [0, 1, -1, 0x8000, 3]) {
    await queue.setUsedEvent((queue.seen + ahead) & 0xffff);
    for (let count = 0; count < 3; count++) await again(`used_event ${ahead} ahead`);
  }
}
