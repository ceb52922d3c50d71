/** Queues that lie oddly, have odd sizes, run around, or are used at the wrong time. */
import { Driver, type DriverOptions, F, NO_VECTOR, type Piece, type Queue } from '../driver.ts';
import { type ConfigSpace, type Guest, hex, PLACE, type Say, structure, type Width } from '../guest.ts';
import { windowAt } from './registers.ts';
import { atWork, BLK_FEATURES, headerOf, TYPE, type Work } from './blk-requests.ts';

const C = structure('common');
const RAM_END = 64 * 2 ** 20;
const NOWHERE = 0x7f00_0000;
const MODERN = { isModern: true, hasMsix: true, features: BLK_FEATURES } as const;
const LEGACY = { isModern: false, hasMsix: false, features: BLK_FEATURES } as const;

/** More than a driver here needs. */
const ROOM = 0x2_0000;

/** A read of a sector, and how it ended. */
async function read({ driver, queue, header, status, data }: Work, say: Say, name: string, sector = 0): Promise<void> {
  await driver.guest.poke(header, headerOf(TYPE.in, sector));
  await driver.guest.write(status, 1, 0xee);
  const pieces: Piece[] = [
    [header, 16, false],
    [data, 512, true],
    [status, 1, true],
  ];
  await queue.add(pieces, (driver.options.features & F.indirect) !== 0);
  await queue.kick();
  say(`${name}: ${await outcome(driver, queue, status)}`);
  driver.guest.said().forEach((line) => say(`   says ${line}`));
}

async function outcome(driver: Driver, queue: Queue, status: number): Promise<string> {
  const byte = hex(await driver.guest.read(status, 1), 2);
  const messages = driver.options.hasMsix ? await driver.messages() : '';
  const state = `byte ${byte} ${await queue.state()}`;
  return `status ${await driver.status()} ${state} isr ${await driver.isr()} ${messages}`.trim();
}

/** Sizes a driver may choose, powers of two or not. */
export async function oddSizes(guest: Guest, say: Say): Promise<void> {
  let memory = 0x30_0000;
  for (const [size, features] of [
    [3, 0],
    [1, F.indirect],
    [2, F.indirect],
    [5, F.indirect],
    [1024, 0],
    [1023, F.eventIdx],
  ] as const) {
    const work = await atWork(guest, { ...MODERN, features: BLK_FEATURES + features, memory }, say, size);
    memory += ROOM;
    for (let count = 0; count < 8; count++) await read(work, say, `size ${size}, request ${count}`, count);
  }
}

/** Both indices run around 2^16. */
export async function indicesWrap(guest: Guest, say: Say): Promise<void> {
  const work = await atWork(guest, { ...MODERN, features: BLK_FEATURES + F.indirect + F.eventIdx }, say, 1024);
  const { queue, driver } = work;
  const { avail, used, size, desc } = queue.ring;
  // Chains without anything are errors, so that each of these is a request: all by the same descriptor.
  await driver.guest.poke(work.header, headerOf(TYPE.flush, 0));
  const table = driver.alloc(32, 16);
  await queue.table(table, [
    [work.header, 16, 1, 1],
    [work.status, 1, 2],
  ]);
  for (let at = 0; at < size; at++) await driver.guest.poke(desc + 16 * at, new Uint8Array(16));
  await queue.table(desc, [[table, 32, 4]]);
  await queue.setUsedEvent(0xffff);
  for (let index = size / 2; index <= 0xffff + size; index += size / 2) {
    await driver.guest.write(avail + 2, 2, index & 0xffff);
    await queue.kick();
    if (index % 0x2000 < size / 2 || index > 0xfc00) {
      const [told, event] = [await driver.guest.read(used + 2, 2), await driver.guest.read(used + 4 + 8 * size, 2)];
      say(`index ${index}: used ${told} event ${event} ${await driver.messages()}`);
    }
  }
  await queue.goOnFrom(await driver.guest.read(used + 2, 2));
  await read(work, say, 'and on');
}

/** Parts of a ring where there is no memory, or not enough. */
export async function oddPlaces(guest: Guest, say: Say): Promise<void> {
  let memory = 0x30_0000;
  for (const features of [BLK_FEATURES, BLK_FEATURES + F.eventIdx]) {
    for (const part of ['desc', 'avail', 'used'] as const) {
      const size = { desc: 4096, avail: 516, used: 2052 }[part];
      for (const at of [
        RAM_END - size,
        RAM_END - size - 2,
        RAM_END - size + 2,
        RAM_END - 4,
        NOWHERE,
        2 ** 40,
        0,
        0xfee0_0000,
        0x20_0003,
      ]) {
        await placedOddly(guest, say, { ...MODERN, features, memory }, part, at);
        memory += ROOM;
      }
    }
  }
}

async function placedOddly(guest: Guest, say: Say, options: DriverOptions, part: string, at: number): Promise<void> {
  const driver = new Driver(guest, options);
  await driver.place();
  await driver.begin();
  const queue = await driver.queue();
  if (at < RAM_END) await guest.poke(at, new Uint8Array(Math.min(4096, RAM_END - at)));
  await driver.enable({ ...queue.ring, [part]: at });
  await driver.ready();
  const [header, status, data] = [driver.alloc(64, 16), driver.alloc(16, 16), driver.alloc(512)];
  say(`${part} at ${hex(at)}: status ${await driver.status()}`);
  guest.said().forEach((line) => say(`   says ${line}`));
  await read({ driver, queue, header, status, data }, say, '   read');
}

/** A ring of the legacy interface at the end of memory, over it, and nowhere. */
export async function oddLegacyPlaces(guest: Guest, say: Say): Promise<void> {
  for (const features of [BLK_FEATURES, BLK_FEATURES + F.eventIdx]) {
    for (const page of [
      RAM_END / 4096 - 3,
      RAM_END / 4096 - 2,
      RAM_END / 4096 - 1,
      RAM_END / 4096,
      NOWHERE / 4096,
      0xffff_ffff,
    ]) {
      const driver = new Driver(guest, { ...LEGACY, features });
      await driver.place();
      await driver.begin();
      await guest.out(PLACE.io + 14, 2, 0);
      await guest.out(PLACE.io + 8, 4, page);
      say(`page ${hex(page)}: pfn ${hex(await guest.in(PLACE.io + 8, 4))} status ${await driver.status()}`);
      guest.said().forEach((line) => say(`   says ${line}`));
      await driver.ready();
      await guest.out(PLACE.io + 16, 2, 0);
      await guest.settle();
      say(`   kicked: status ${await driver.status()} isr ${await driver.isr()}`);
      guest.said().forEach((line) => say(`   says ${line}`));
    }
  }
}

/** Notified before it is ready, without bus mastering, of queues that are not there, in other ways. */
export const oddTimes =
  (isModern: boolean) =>
  async (guest: Guest, say: Say): Promise<void> => {
    const options = { ...(isModern ? MODERN : LEGACY) };
    const driver = new Driver(guest, options);
    await driver.place();
    await driver.begin();
    const queue = await driver.queue();
    const work = { driver, queue, header: driver.alloc(64, 16), status: driver.alloc(16, 16), data: driver.alloc(512) };
    await read(work, say, 'before DRIVER_OK');
    await driver.guest.poke(work.header, headerOf(TYPE.in, 1));
    await queue.add([
      [work.header, 16, false],
      [work.data, 512, true],
      [work.status, 1, true],
    ]);
    await driver.ready();
    say(`at DRIVER_OK, with a request nobody notified of: ${await outcome(driver, queue, work.status)}`);
    await read(work, say, 'after DRIVER_OK');
    await withoutBusMaster(work, say);
    await otherNotifications(work, say);
    await configurationWrites(work, say);
    await resetOnTheWay(work, say);
  };

/** A write to a structure by the capability that says where. */
async function throughWindow(config: ConfigSpace, offset: number, length: Width, value: number): Promise<void> {
  const at = await windowAt(config);
  await config.write(at + 4, 1, 4);
  await config.write(at + 8, 4, offset);
  await config.write(at + 12, 4, length);
  await config.write(at + 16, length, value);
}

/** Requests nobody notified of are found when the driver says that it is at work. */
export const readyAtLast =
  (by: 'modern' | 'legacy' | 'window') =>
  async (guest: Guest, say: Say): Promise<void> => {
    const driver = new Driver(guest, by === 'legacy' ? LEGACY : MODERN);
    await driver.place();
    await driver.begin();
    const queue = await driver.queue();
    const work = { driver, queue, header: driver.alloc(64, 16), status: driver.alloc(16, 16), data: driver.alloc(512) };
    await guest.poke(work.header, headerOf(TYPE.in, 1));
    await queue.add([
      [work.header, 16, false],
      [work.data, 512, true],
      [work.status, 1, true],
    ]);
    await guest.settle();
    say(`not yet: ${await outcome(driver, queue, work.status)}`);
    if (by === 'window') await throughWindow(driver.config, 20, 1, 0xf);
    else await driver.ready();
    await guest.settle();
    say(`at work: ${await outcome(driver, queue, work.status)}`);
    await read(work, say, 'and on');
  };

/** Command without bus mastering, and with it again. */
async function withoutBusMaster(work: Work, say: Say): Promise<void> {
  const { driver, queue } = work;
  await driver.config.write(4, 2, 3);
  say(`bus master off: status ${await driver.status()}`);
  await read(work, say, '   kicked');
  await driver.config.write(4, 2, 7);
  await driver.guest.settle();
  say(`bus master on: ${await outcome(driver, queue, work.status)}`);
  await queue.kick();
  say(`   kicked: ${await outcome(driver, queue, work.status)}`);
  await driver.ready();
  say(`   ready again: ${await outcome(driver, queue, work.status)}`);
  await read(work, say, '   and on');
  await driver.config.write(4, 2, 0x407);
  await read(work, say, 'interrupts disabled');
  await driver.config.write(4, 2, 7);
}

/** Notifications of other widths, places and values. */
async function otherNotifications({ driver, queue, header, status, data }: Work, say: Say): Promise<void> {
  const { guest, options } = driver;
  const at = options.isModern ? structure('notify') : PLACE.io + 16;
  const ways = options.isModern
    ? ([
        [0, 1, 0],
        [0, 2, 7],
        [0, 4, 0],
        [2, 2, 0],
        [3, 1, 0],
        [4, 2, 0],
        [0x800, 2, 0],
        [0xffc, 4, 0],
      ] as const)
    : ([
        [0, 1, 0],
        [0, 2, 1],
        [0, 2, 0x400],
        [0, 4, 0],
        [1, 1, 0],
      ] as const);
  for (const [offset, size, value] of ways) {
    await guest.poke(header, headerOf(TYPE.in, 0));
    await guest.write(status, 1, 0xee);
    await queue.add([
      [header, 16, false],
      [data, 512, true],
      [status, 1, true],
    ]);
    if (options.isModern) await guest.write(at + offset, size, value);
    else await guest.out(at + offset, size, value);
    await guest.settle();
    say(`notified at ${offset} of ${size} with ${value}: ${await outcome(driver, queue, status)}`);
    await queue.kick();
    say(`   kicked: ${await outcome(driver, queue, status)}`);
    guest.said().forEach((line) => say(`   says ${line}`));
  }
}

/** The write cache bit, and bytes nobody can write. */
async function configurationWrites({ driver }: Work, say: Say): Promise<void> {
  const { guest, options } = driver;
  const at = options.isModern ? structure('device') : PLACE.io + 20;
  const write = (offset: number, size: 1 | 2 | 4, value: number): Promise<void> =>
    options.isModern ? guest.write(at + offset, size, value) : guest.out(at + offset, size, value);
  const get = (offset: number): Promise<number> =>
    options.isModern ? guest.read(at + offset, 4) : guest.in(at + offset, 4);
  for (const [offset, size, value] of [
    [32, 1, 0],
    [32, 1, 2],
    [32, 4, 0],
    [32, 2, 1],
    [0, 4, 5],
    [31, 2, 0x100],
    [56, 4, 1],
    [60, 4, 1],
  ] as const) {
    await write(offset, size, value);
    say(`configuration ${offset} of ${size} <- ${value}: ${hex(await get(0), 8)} ${hex(await get(32), 8)}`);
  }
}

/** A reset while a request is under way: it is brought to its end first. */
async function resetOnTheWay(work: Work, say: Say): Promise<void> {
  const { driver, queue, header, status, data } = work;
  const { guest, options } = driver;
  await guest.poke(header, headerOf(TYPE.in, 1));
  await guest.write(status, 1, 0xee);
  await queue.add([
    [header, 16, false],
    [data, 512, true],
    [status, 1, true],
  ]);
  if (options.isModern) await guest.write(structure('notify'), 2, 0);
  else await guest.out(PLACE.io + 16, 2, 0);
  await driver.setStatus(0);
  await guest.settle();
  const { used } = queue.ring;
  const byte = hex(await guest.read(status, 1), 2);
  say(`reset on the way: status ${await driver.status()} byte ${byte} used ${await guest.read(used + 2, 2)}`);
  await queue.kick();
  say(`   kicked: used ${await guest.read(used + 2, 2)} isr ${await driver.isr()}`);
}

/** queue_reset, with a request under way and without, and the queue set up anew. */
export async function queueResets(guest: Guest, say: Say): Promise<void> {
  const work = await atWork(guest, MODERN, say);
  const { driver } = work;
  await read(work, say, 'before');
  await guest.write(C + 22, 2, 0);
  await guest.write(C + 58, 2, 1);
  const shown = async (): Promise<string> => {
    const words = [24, 26, 28, 58].map((at) => guest.read(C + at, 2));
    const [size, vector, enabled, reset] = [await words[0]!, await words[1]!, await words[2]!, await words[3]!];
    const desc = hex(await guest.read(C + 32, 4));
    return `size ${size} vector ${hex(vector)} enabled ${enabled} reset ${reset} desc ${desc}`;
  };
  say(`reset: ${await shown()}, status ${await driver.status()}`);
  await read(work, say, '   kicked');
  const queue = await driver.queue(0, 64);
  say(`enabled again: ${await shown()}`);
  await read({ ...work, queue }, say, '   read');
  await guest.write(C + 26, 2, NO_VECTOR);
  await read({ ...work, queue }, say, 'without a vector');
  guest.said().forEach((line) => say(`   says ${line}`));
}
