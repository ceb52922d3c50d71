/** A disk that becomes another size while a driver is at work, before it is, and once it is no more. */
import type { DriverOptions } from '../driver.ts';
import { type Guest, hex, PLACE, type Say, structure } from '../guest.ts';
import { atWork, headerOf, TYPE, type Work } from './blk-requests.ts';

const GENERATION = structure('common') + 21;
const CAPACITY = structure('device');

/** What a driver sees of the device's configuration and its interrupts. */
async function look({ driver }: Work, say: Say, name: string): Promise<void> {
  const { guest, options } = driver;
  const from = PLACE.io + (options.hasMsix ? 24 : 20);
  const [low, high] = options.isModern
    ? [await guest.read(CAPACITY, 4), await guest.read(CAPACITY + 4, 4)]
    : [await guest.in(from, 4), await guest.in(from + 4, 4)];
  const generation = options.isModern ? ` generation ${await guest.read(GENERATION, 1)}` : '';
  const cylinders = options.isModern ? await guest.read(CAPACITY + 16, 2) : await guest.in(from + 16, 2);
  const interrupts = `isr ${await driver.isr()} ${options.hasMsix ? await driver.messages() : ''}`;
  say(`${name}: capacity ${hex(high)}:${hex(low)}${generation} cylinders ${cylinders} ${interrupts}`);
}

/** A read of one sector: its status and first bytes. */
async function read({ driver, queue, header, status, data }: Work, say: Say, sector: number): Promise<void> {
  const { guest } = driver;
  await guest.poke(header, headerOf(TYPE.in, sector));
  await guest.poke(data, new Uint8Array(16).fill(0xee));
  await guest.write(status, 1, 0xee);
  await queue.add([
    [header, 16, false],
    [data, 512, true],
    [status, 1, true],
  ]);
  await queue.kick();
  const bytes = [...(await guest.peek(data, 16))].map((byte) => hex(byte, 2)).join('');
  say(`IN sector ${sector}: status ${hex(await guest.read(status, 1), 2)} ${bytes}`);
  await driver.messages();
  await driver.isr();
}

/** Sizes in sectors of 512; the disk begins with 2048. */
export const blkResizes =
  (options: DriverOptions) =>
  async (guest: Guest, say: Say): Promise<void> => {
    await guest.resize(3072);
    const work = await atWork(guest, options, say);
    await look(work, say, 'grown before DRIVER_OK');
    for (const sector of [2047, 2048, 3071, 3072]) await read(work, say, sector);
    await guest.resize(4096);
    await guest.settle();
    await look(work, say, 'grown');
    await look(work, say, 'again');
    await read(work, say, 4095);
    await guest.resize(1024);
    await guest.settle();
    await look(work, say, 'shrunk');
    for (const sector of [1023, 1024]) await read(work, say, sector);
    await guest.resize(2048);
    await guest.resize(2560);
    await guest.settle();
    await look(work, say, 'grown twice');
    for (const sector of [1023, 1024, 2559]) await read(work, say, sector);
    await work.driver.setStatus(0);
    await guest.resize(2048);
    await guest.settle();
    await look(work, say, 'after a reset');
    guest.said().forEach(say);
  };
