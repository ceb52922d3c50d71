/** What drivers may not do with a ring, each kind with its neighbours, and what a device then says. */
import { Driver, type DriverOptions, F, type Queue, type Raw } from '../driver.ts';
import { type Guest, hex, type Say } from '../guest.ts';
import { BLK_FEATURES, headerOf, TYPE } from './blk-requests.ts';

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** A header with room behind it: data at 32, status byte at 16. */
const H = 0x20_0000;
const TABLE = 0x20_1000;
/** No memory of a machine with 64 MiB. */
const NOWHERE = 0x7f00_0000;
const RAM_END = 64 * 2 ** 20;
const BIG = 0x10_0000;

/** Descriptors by their numbers; `table`: an indirect one. */
interface Wrong {
  readonly name: string;
  readonly descriptors: Readonly<Record<number, Raw>>;
  readonly table?: readonly Raw[];
  readonly head?: number;
  readonly index?: number;
  readonly type?: number;
}

const GOOD: readonly Raw[] = [
  [H, 16, NEXT, 1],
  [H + 32, 512, NEXT | WRITE, 2],
  [H + 16, 1, WRITE],
];
const good = (): Record<number, Raw> => ({ 0: GOOD[0]!, 1: GOOD[1]!, 2: GOOD[2]! });

/** A request with another middle. */
const middle = (...raw: Raw): Record<number, Raw> => ({ ...good(), 1: raw });
const indirect = (length: number, flags = INDIRECT, next = 0): Record<number, Raw> => ({
  0: [TABLE, length, flags, next],
});

const chain = (count: number): Raw[] =>
  Array.from({ length: count }, (_, at): Raw => {
    const isLast = at === count - 1;
    return [H + (at === 0 ? 0 : 32), at === 0 ? 16 : 1, (at === 0 ? 0 : WRITE) | (isLast ? 0 : NEXT), at + 1];
  });

const LOOPS: readonly Wrong[] = [
  { name: 'loop 0 1 0', descriptors: { 0: [H, 16, NEXT, 1], 1: [H + 32, 512, NEXT | WRITE, 0] } },
  { name: 'loop to itself, readable', descriptors: { 0: [H, 16, NEXT, 0] } },
  { name: 'loop to itself, writable', descriptors: { 0: [H, 16, NEXT | WRITE, 0] } },
  { name: 'loop of two writable', descriptors: { ...good(), 2: [H + 16, 1, WRITE | NEXT, 1] } },
  {
    name: 'indirect loop',
    descriptors: indirect(48),
    table: [
      [H, 16, NEXT, 1],
      [H + 32, 1, NEXT | WRITE, 1],
    ],
  },
  {
    name: 'indirect loop, readable',
    descriptors: indirect(32),
    table: [
      [H, 16, NEXT, 1],
      [H, 16, NEXT, 0],
    ],
  },
];

const NEXTS: readonly Wrong[] = [
  ...[999, 256, 0xffff].map((next): Wrong => ({ name: `next ${next}`, descriptors: { 0: [H, 16, NEXT, next] } })),
  { name: 'next 255', descriptors: { 0: [H, 16, NEXT, 255], 255: [H + 16, 513, WRITE] } },
  { name: 'next 255, nothing there', descriptors: { 0: [H, 16, NEXT, 255] } },
  { name: 'indirect next beyond its table', descriptors: indirect(32), table: [[H, 16, NEXT, 2]] },
  {
    name: 'indirect next at its end',
    descriptors: indirect(48),
    table: [
      [H, 16, NEXT, 2],
      [0, 0, 0],
      [H + 16, 1, WRITE],
    ],
  },
  { name: 'indirect next 255', descriptors: indirect(48), table: [[H, 16, NEXT, 255]] },
];

const ORDERS: readonly Wrong[] = [
  { name: 'writable first', descriptors: { 0: [H + 32, 16, NEXT | WRITE, 1], 1: [H, 16, NEXT, 2], 2: GOOD[2]! } },
  { name: 'readable last', descriptors: { ...good(), 2: [H + 16, 1, 0] } },
  {
    name: 'writable first, indirect',
    descriptors: indirect(32),
    table: [
      [H, 16, NEXT | WRITE, 1],
      [H, 16, 0],
    ],
  },
  { name: 'writable first, the other empty', descriptors: { 0: [H, 16, NEXT | WRITE, 1], 1: [H, 0, 0] } },
];

const HEADS: readonly Wrong[] = [
  ...[300, 256, 0xffff].map((head): Wrong => ({ name: `head ${head}`, descriptors: good(), head })),
  { name: 'head 255', descriptors: { 255: [H, 16, NEXT, 1], 1: GOOD[1]!, 2: GOOD[2]! }, head: 255 },
  ...[300, 257, 256, 0xffff, 0x8000].map((index): Wrong => ({ name: `index ${index}`, descriptors: good(), index })),
  { name: 'index 257 of bad ones', descriptors: { 0: [H, 16, 0] }, index: 257 },
  { name: 'index stays', descriptors: good(), index: 0 },
];

const LENGTHS: readonly Wrong[] = [
  { name: 'length 0', descriptors: middle(H + 32, 0, NEXT | WRITE, 2) },
  { name: 'first length 0', descriptors: { ...good(), 0: [H, 0, NEXT, 1] } },
  { name: 'status length 0', descriptors: { ...good(), 2: [H + 16, 0, WRITE] } },
  ...[8, 15, 17, 1].map(
    (length): Wrong => ({ name: `header of ${length}`, descriptors: { ...good(), 0: [H, length, NEXT, 1] } }),
  ),
  {
    name: 'header in two pieces',
    descriptors: { 0: [H, 8, NEXT, 1], 1: [H + 8, 8, NEXT, 2], 2: [H + 32, 513, WRITE] },
  },
  {
    name: 'header in two pieces, short',
    descriptors: { 0: [H, 8, NEXT, 1], 1: [H + 8, 7, NEXT, 2], 2: [H + 32, 513, WRITE] },
  },
  { name: 'data behind the header', descriptors: { 0: [H, 528, NEXT, 1], 1: [H + 16, 1, WRITE] }, type: TYPE.out },
  { name: 'status of two bytes', descriptors: { ...good(), 2: [H + 16, 2, WRITE] } },
  { name: 'data and status as one', descriptors: { 0: [H, 16, NEXT, 1], 1: [H + 32, 513, WRITE] } },
  { name: '1 MiB', descriptors: middle(0x40_0000, BIG, NEXT | WRITE, 2) },
  { name: '1 MiB and a sector', descriptors: middle(0x40_0000, BIG + 512, NEXT | WRITE, 2) },
  { name: 'to the end of memory', descriptors: middle(RAM_END - 512, 512, NEXT | WRITE, 2) },
];

const LACKING: readonly Wrong[] = [
  { name: 'only readable', descriptors: { 0: [H, 16, 0] } },
  { name: 'only writable', descriptors: { 0: [H, 16, WRITE] } },
  { name: 'two readable', descriptors: { 0: [H, 16, NEXT, 1], 1: [H + 32, 512, 0] } },
  { name: 'only a status', descriptors: { 0: [H, 16, NEXT, 1], 1: [H + 16, 1, WRITE] } },
  { name: 'nothing at all', descriptors: {} },
  { name: 'discard without a range', descriptors: { 0: [H, 16, NEXT, 1], 1: [H + 16, 1, WRITE] }, type: TYPE.discard },
  {
    name: 'discard of 15 bytes',
    descriptors: { 0: [H, 16, NEXT, 1], 1: [H + 32, 15, NEXT, 2], 2: GOOD[2]! },
    type: TYPE.discard,
  },
  {
    name: 'zeroes of 15 bytes',
    descriptors: { 0: [H, 16, NEXT, 1], 1: [H + 32, 15, NEXT, 2], 2: GOOD[2]! },
    type: TYPE.zeroes,
  },
];

const INDIRECTS: readonly Wrong[] = [
  ...[24, 15, 17, 0, 1, 0xffff_ffff, 0xffff_fff0, 0x1_0001].map(
    (length): Wrong => ({ name: `table of ${length} bytes`, descriptors: indirect(length), table: GOOD }),
  ),
  { name: 'table', descriptors: indirect(48), table: GOOD },
  { name: 'table, longer than it is used', descriptors: indirect(64), table: GOOD },
  { name: 'table with NEXT', descriptors: { ...indirect(48, INDIRECT | NEXT, 1), 1: [H, 16, 0] }, table: GOOD },
  { name: 'table with WRITE', descriptors: indirect(48, INDIRECT | WRITE), table: GOOD },
  {
    name: 'table as second',
    descriptors: { 0: [H, 16, NEXT, 1], 1: [TABLE, 16, INDIRECT] },
    table: [[H + 16, 1, WRITE]],
  },
  { name: 'table as second, writable', descriptors: { 0: [H, 16, NEXT, 1], 1: [TABLE, 513, INDIRECT | WRITE] } },
  { name: 'table in a table', descriptors: indirect(16), table: [[TABLE + 64, 48, INDIRECT]] },
  { name: 'table of one', descriptors: indirect(16), table: [[H, 16, 0]] },
  { name: 'table of 300', descriptors: indirect(4800), table: chain(300) },
  { name: 'table of 1024', descriptors: indirect(16_384), table: chain(1024) },
  { name: 'table of 1025', descriptors: indirect(16_400), table: chain(1025) },
  { name: 'table nowhere', descriptors: { 0: [NOWHERE, 48, INDIRECT] } },
  { name: 'table across the end of memory', descriptors: { 0: [RAM_END - 16, 48, INDIRECT] } },
  { name: 'table at 2^40', descriptors: { 0: [2 ** 40, 48, INDIRECT] } },
];

const OUTSIDE: readonly Wrong[] = [
  { name: 'data outside', descriptors: middle(NOWHERE, 512, NEXT | WRITE, 2) },
  { name: 'data outside, written', descriptors: middle(NOWHERE, 512, NEXT, 2), type: TYPE.out },
  { name: 'data across the end', descriptors: middle(RAM_END - 256, 512, NEXT | WRITE, 2) },
  { name: 'header outside', descriptors: { ...good(), 0: [NOWHERE, 16, NEXT, 1] } },
  { name: 'status outside', descriptors: { ...good(), 2: [NOWHERE, 1, WRITE] } },
  { name: 'status at address 0', descriptors: { ...good(), 2: [0, 1, WRITE] } },
  { name: 'data at the end of all addresses', descriptors: middle(0xffff_ffff_f000, 512, NEXT | WRITE, 2) },
];

const KINDS: Readonly<Record<string, readonly Wrong[]>> = {
  loops: LOOPS,
  nexts: NEXTS,
  orders: ORDERS,
  heads: HEADS,
  lengths: LENGTHS,
  lacking: LACKING,
  indirects: INDIRECTS,
  outside: OUTSIDE,
};

interface Options extends Omit<DriverOptions, 'features'> {
  /** What requests leave in memory is the same of both machines. */
  readonly isBlk: boolean;
}

/** Each case on a device that was reset. */
export const malformedRings =
  ({ isBlk, ...options }: Options) =>
  async (guest: Guest, say: Say): Promise<void> => {
    const driver = new Driver(guest, { ...options, features: (isBlk ? BLK_FEATURES : 0) | F.indirect });
    await driver.place();
    for (const [kind, cases] of Object.entries(KINDS)) {
      for (const wrong of cases) await tryOut(driver, say, `${kind}, ${wrong.name}`, wrong, isBlk);
    }
  };

async function tryOut(driver: Driver, say: Say, name: string, wrong: Wrong, isBlk: boolean): Promise<void> {
  const { guest } = driver;
  const { descriptors, table, head = 0, index, type = TYPE.in } = wrong;
  await driver.begin();
  const queue = await driver.queue();
  await driver.ready();
  await guest.poke(H, headerOf(type, 0));
  await guest.poke(H + 16, new Uint8Array(16).fill(0xee));
  if (table !== undefined) await queue.table(TABLE, table);
  for (const [at, raw] of Object.entries(descriptors)) await queue.table(queue.ring.desc + 16 * Number(at), [raw]);
  await queue.offer(head, index);
  await queue.kick();
  const told = async (): Promise<string> => (isBlk ? `byte ${hex(await guest.read(H + 16, 1), 2)} ` : '');
  say(`${name}: ${await told()}${await outcome(driver, queue)}`);
  guest.said().forEach((line) => say(`   says ${line}`));
  await queue.kick();
  say(`   kicked again: ${await told()}${await outcome(driver, queue)}`);
  guest.said().forEach((line) => say(`   says ${line}`));
}

async function outcome(driver: Driver, queue: Queue): Promise<string> {
  const messages = driver.options.hasMsix ? await driver.messages() : '';
  return `status ${await driver.status()} ${await queue.state()} isr ${await driver.isr()} ${messages}`.trim();
}
