/** The driver of `golden/io/qtest/vnet.py`, access by access: what it prints is what that printed of QEMU 7.2. */
import { Driver, F, type Queue } from '../driver.ts';
import { bytesOf, type Guest, hex, type Say, structure } from '../guest.ts';
import { broadcast, frame, hexOf, MAC, mac, PEER, wireLine } from '../frames.ts';

export interface NetRing {
  /** As the capture calls it. */
  readonly title: string;
  readonly isModern: boolean;
  readonly hasMsix: boolean;
  readonly features: number;
}

const CONTROL = 2 ** 17;
const MERGEABLE = 2 ** 15;

/** Where it is put together, and where frames arrive. */
interface Ring {
  readonly guest: Guest;
  readonly say: Say;
  readonly driver: Driver;
  readonly rx: Queue;
  readonly tx: Queue;
  readonly header: number;
  readonly out: number;
  readonly into: number;
  /** Receive buffers made so far. */
  buffers: number;
}

export const netRing =
  ({ title, ...options }: NetRing) =>
  async (guest: Guest, say: Say): Promise<void> => {
    const driver = new Driver(guest, { ...options, vectors: 4 });
    await driver.place();
    const features = await driver.begin();
    const hasControl = (features & CONTROL) !== 0;
    const rx = await driver.queue(0, undefined, 1);
    const tx = await driver.queue(1, undefined, 2);
    const control = hasControl ? await driver.queue(2, undefined, 3) : undefined;
    await driver.ready();
    const words = `${options.isModern ? '1' : ''}${hex(features, options.isModern ? 8 : 1)}`;
    say(`## ${title}`);
    const sizes = `queues rx ${rx.ring.size} tx ${tx.ring.size} ctrl ${control?.ring.size ?? '-'}`;
    say(`features accepted ${words} ${sizes} status ${await driver.status()}`);
    const header = options.isModern || (features & MERGEABLE) !== 0 ? 12 : 10;
    const ring = { guest, say, driver, rx, tx, header, out: driver.alloc(70_000), buffers: 0 };
    const command = driver.alloc(512, 16);
    const work = { ...ring, into: driver.alloc(16 * 4096) };
    await transmit(work);
    await receive(work);
    if (control !== undefined) await commands(work, control, command);
    if ((features & F.eventIdx) !== 0) await events(work, hasControl);
  };

const signals = (driver: Driver): Promise<string> =>
  driver.options.hasMsix ? driver.messages() : driver.isr().then((isr) => `isr ${isr}`);

async function transmit(work: Ring): Promise<void> {
  const { guest, header, out } = work;
  const whole = new Uint8Array(header + 60);
  whole.set(frame(PEER, MAC, 60), header);
  await guest.poke(out, whole);
  await send(work, '60 bytes, one descriptor', [[out, header + 60]]);
  await send(work, 'header and data apart', [
    [out, header],
    [out + header, 60],
  ]);
  await guest.poke(out + header, frame(PEER, MAC, 42));
  await send(work, '42 bytes (no padding)', [[out, header + 42]]);
  await guest.poke(out + header, frame(PEER, MAC, 1514));
  await send(work, '1514 bytes in three', [
    [out, header],
    [out + header, 14],
    [out + header + 14, 1500],
  ]);
  await guest.poke(out + header, frame(PEER, MAC, 60_000));
  await send(work, '60000 bytes', [[out, header + 60_000]]);
  await burst(work);
}

async function send(
  { guest, say, driver, tx }: Ring,
  name: string,
  pieces: readonly (readonly [number, number])[],
): Promise<void> {
  await tx.add(pieces.map(([gpa, length]) => [gpa, length, false]));
  await tx.kick();
  const wire = wireLine(await guest.wire());
  say(`TX ${name.padEnd(34)} ${await tx.state(false)} | ${await signals(driver)} | wire ${wire}`);
}

async function burst({ guest, say, driver, tx, header, out }: Ring): Promise<void> {
  for (let count = 0; count < 3; count++) {
    const whole = new Uint8Array(header + 60 + count);
    whole.set(frame(PEER, MAC, 60 + count), header);
    await guest.poke(out + 4096 * count, whole);
    await tx.add([[out + 4096 * count, whole.length, false]]);
  }
  await tx.kick();
  const wire = wireLine(await guest.wire());
  say(`TX burst of 3, one kick: ${await tx.state(false)} | ${await signals(driver)} | wire ${wire}`);
}

/** A receive buffer that holds something else. Returns where. */
async function buffer(work: Ring, length: number): Promise<number> {
  const at = work.into + 4096 * (work.buffers % 16);
  work.buffers += 1;
  await work.guest.poke(at, new Uint8Array(64).fill(0xee));
  await work.rx.add([[at, length, true]]);
  return at;
}

async function give({ guest, say, driver, rx }: Ring, name: string, bytes: Uint8Array): Promise<void> {
  await guest.send(bytes);
  say(`RX ${name.padEnd(40)} ${await rx.state(false)} | ${await signals(driver)}`);
}

async function several(work: Ring, count: number, length: number): Promise<number[]> {
  const places: number[] = [];
  for (let made = 0; made < count; made++) places.push(await buffer(work, length));
  await work.rx.kick();
  return places;
}

const OTHER = mac('525400999999');

async function receive(work: Ring): Promise<void> {
  const { guest, say, driver, rx, header } = work;
  await give(work, 'no buffers: 60 bytes', frame(MAC, PEER, 60));
  const [first = 0, second = 0] = await several(work, 4, 2048);
  const start = async (at: number): Promise<string> => hexOf(await guest.peek(at, header + 14));
  const state = `${await rx.state(false)} | ${await signals(driver)}`;
  say(`RX 4 buffers of 2048, kick: ${state} | first buffer ${await start(first)}`);
  await give(work, '60 bytes to us', frame(MAC, PEER, 60));
  say(`   buffer ${await start(second)}`);
  await give(work, '42 bytes (padded?)', frame(MAC, PEER, 42));
  await give(work, 'broadcast 60', frame(broadcast, PEER, 60));
  await several(work, 2, 1526);
  await give(work, 'other unicast (filtered unless promisc)', frame(OTHER, PEER, 60));
  await give(work, 'multicast 33:33', frame(mac('333300000001'), PEER, 60));
  const [small = 0] = await several(work, 4, 600);
  await give(work, '1514 into buffers of 1526/600', frame(MAC, PEER, 1514));
  await give(work, '1514 again', frame(MAC, PEER, 1514));
  say(`   num_buffers field of first of these ${hexOf(await guest.peek(small, header))}`);
}

const ANSWER = 256;

type Command = readonly [name: string, cls: number, command: number, data: Uint8Array];

const word = (value: number): Uint8Array => bytesOf(value, 2);
const one = Uint8Array.of(1);
const nothing = new Uint8Array(0);

const COMMANDS: readonly Command[] = [
  ['RX PROMISC on', 0, 0, one],
  ['RX ALLMULTI on', 0, 1, one],
  ['RX 9 (unknown)', 0, 9, one],
  [
    'MAC TABLE_SET 1 uc 2 mc',
    1,
    0,
    Uint8Array.of(...bytesOf(1), ...PEER, ...bytesOf(2), ...mac('333300000001'), ...mac('01005e000001')),
  ],
  ['MAC ADDR_SET', 1, 1, mac('5254000000aa')],
  ['VLAN ADD 7', 2, 0, word(7)],
  ['VLAN ADD 5000', 2, 0, word(5000)],
  ['ANNOUNCE ACK', 3, 0, nothing],
  ['MQ PAIRS 1', 4, 0, word(1)],
  ['GUEST_OFFLOADS 0', 5, 0, new Uint8Array(8)],
  ['class 77', 77, 0, nothing],
];

async function commands(work: Ring, control: Queue, at: number): Promise<void> {
  const { guest, say, driver } = work;
  for (const [name, cls, command, data] of COMMANDS) {
    await guest.poke(at, Uint8Array.of(cls, command, ...data));
    await guest.poke(at + ANSWER, Uint8Array.of(0xee));
    const rest = data.length > 0 ? [[at + 2, data.length, false] as const] : [];
    await control.add([[at, 2, false], ...rest, [at + ANSWER, 1, true]]);
    await control.kick();
    const ack = hex(await guest.read(at + ANSWER, 1), 2);
    say(`CTRL ${name.padEnd(34)} ack ${ack} ${await control.state(false)} | ${await signals(driver)}`);
    if (name === 'MAC ADDR_SET') say(`   config mac now ${await configMac(guest)}`);
  }
  await several(work, 2, 2048);
  await give(work, 'other unicast now (promisc on)', frame(OTHER, PEER, 60));
}

async function configMac(guest: Guest): Promise<string> {
  const bytes: number[] = [];
  for (let at = 0; at < 6; at++) bytes.push(await guest.read(structure('device') + at, 1));
  return hexOf(bytes);
}

async function events(work: Ring, hasControl: boolean): Promise<void> {
  const { say, rx } = work;
  await several(work, 4, 2048);
  say(`RX avail_event/flags: ${await rx.state(false)}`);
  await rx.setUsedEvent((rx.seen + 1) & 0xffff);
  say('used_event <- used.idx+1');
  const own = hasControl ? mac('5254000000aa') : MAC;
  await give(work, 'frame 1', frame(own, PEER, 60));
  await give(work, 'frame 2', frame(own, PEER, 60));
  await give(work, 'frame 3', frame(broadcast, PEER, 60));
}
