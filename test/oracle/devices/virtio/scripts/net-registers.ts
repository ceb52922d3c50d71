/** The scripts of `golden/io/qtest/virtio_reset.py`: what they print is what that printed of QEMU 7.2. */
import { ConfigSpace, dumpOf, type Guest, hex, PLACE, placed, type Say, structure } from '../guest.ts';

const C = structure('common');
const { io } = PLACE;

/** All registers once; then two scripts of writes, where the capture has them. */
export const netRegisters =
  (hasScripts: boolean) =>
  async (guest: Guest, say: Say): Promise<void> => {
    const msix = await placed(guest);
    say('-- legacy (I/O BAR0, MSI-X off)');
    await legacy(guest, say);
    say('-- modern (BAR4) and MSI-X (BAR1)');
    await modern(guest, say);
    await messages(guest, msix, say);
    if (!hasScripts) return;
    say('-- a script over the legacy registers');
    await legacyScript(guest, say);
    say('-- a script over the modern registers');
    await modernScript(guest, say);
  };

const word = async (guest: Guest, at: number): Promise<string> => hex(await guest.read(at, 4), 8);

async function bytesAt(read: (at: number) => Promise<number>, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = await read(at);
  return bytes;
}

const inHex = (bytes: Uint8Array): string => [...bytes].map((byte) => hex(byte, 2)).join(' ');

async function legacy(guest: Guest, say: Say): Promise<void> {
  say(`host_features ${hex(await guest.in(io, 4), 8)} guest_features ${hex(await guest.in(io + 4, 4), 8)}`);
  for (let queue = 0; queue < 4; queue++) {
    await guest.out(io + 14, 2, queue);
    say(`queue ${queue}: pfn ${hex(await guest.in(io + 8, 4), 8)} num ${await guest.in(io + 12, 2)}`);
  }
  say(`status ${hex(await guest.in(io + 18, 1), 2)} isr ${hex(await guest.in(io + 19, 1), 2)}`);
  say(`bytes 20..63 (MSI-X off): ${inHex(await bytesAt((at) => guest.in(io + 20 + at, 1), 12))}`);
}

async function modern(guest: Guest, say: Say): Promise<void> {
  const words: string[] = [];
  for (let select = 0; select < 4; select++) {
    await guest.write(C, 4, select);
    words.push(await word(guest, C + 4));
  }
  say(`device_feature words 0..3: ${words.join(' ')}`);
  const queues = await guest.read(C + 18, 2);
  const vector = hex(await guest.read(C + 16, 2), 4);
  const [status, generation] = [hex(await guest.read(C + 20, 1), 2), hex(await guest.read(C + 21, 1), 2)];
  say(`msix_config ${vector} num_queues ${queues} status ${status} config_generation ${generation}`);
  for (let queue = 0; queue <= queues; queue++) say(await queueLine(guest, queue));
  say(`bytes 56..63 of common: ${inHex(await bytesAt((at) => guest.read(C + 56 + at, 1), 8))}`);
  say(`isr ${hex(await guest.read(structure('isr'), 1), 2)}`);
  say('device config 0..95:');
  dumpOf(await bytesAt((at) => guest.read(structure('device') + at, 1), 96)).forEach(say);
}

async function queueLine(guest: Guest, queue: number): Promise<string> {
  await guest.write(C + 22, 2, queue);
  const [size, vector, enable, notify] = [24, 26, 28, 30].map((at) => guest.read(C + at, 2));
  const address = async (at: number): Promise<string> => {
    const low = await word(guest, C + at);
    return `${await word(guest, C + at + 4)}${low}`;
  };
  const places = `desc ${await address(32)} driver ${await address(40)} device ${await address(48)}`;
  const state = `enable ${await enable} notify_off ${await notify}`;
  const numbers = `size ${await size} msix ${hex((await vector)!, 4)} ${state}`;
  return `queue ${queue}: ${numbers} ${places}`;
}

async function messages(guest: Guest, at: number, say: Say): Promise<void> {
  const config = new ConfigSpace(guest);
  const control = await config.read(at + 2, 2);
  const [table, pending] = [hex(await config.read(at + 4), 8), hex(await config.read(at + 8), 8)];
  const entry: string[] = [];
  for (let part = 0; part < 4; part++) entry.push(await word(guest, PLACE.msix + 4 * part));
  const size = (control & 0x7ff) + 1;
  const where = `MSI-X capability at ${hex(at, 2)}: control ${hex(control, 4)} (table size ${size})`;
  say(`${where} table ${table} pba ${pending}; vector 0 entry: ${entry.join(' ')}`);
}

async function legacyScript(guest: Guest, say: Say): Promise<void> {
  const status = async (value: number): Promise<void> => {
    await guest.out(io + 18, 1, value);
    say(`status <- ${hex(value, 2)} reads ${hex(await guest.in(io + 18, 1), 2)}`);
  };
  const inWord = async (at: number): Promise<string> => hex(await guest.in(io + at, 4), 8);
  await status(1);
  await status(3);
  await guest.out(io + 4, 4, 0xffff_ffff);
  say(`guest_features <- ffffffff reads ${await inWord(4)}`);
  await guest.out(io + 14, 2, 0);
  await guest.out(io + 8, 4, 0x100);
  say(`queue 0 pfn <- 100 reads ${await inWord(8)}`);
  await status(7);
  say(`isr ${hex(await guest.in(io + 19, 1), 2)}`);
  await status(0);
  await guest.out(io + 14, 2, 0);
  say(`after reset: pfn ${await inWord(8)} features ${await inWord(4)}`);
}

async function modernScript(guest: Guest, say: Say): Promise<void> {
  const status = async (value: number): Promise<void> => {
    await guest.write(C + 20, 1, value);
    say(`status <- ${hex(value, 2)} reads ${hex(await guest.read(C + 20, 1), 2)}`);
  };
  for (const [high, name] of [
    [0, 'without VERSION_1'],
    [0xffff_ffff, 'all ones'],
  ] as const) {
    if (high !== 0) await status(0);
    for (const value of [1, 3]) await status(value);
    await features(guest, say, 0xffff_ffff, high);
    await status(0x0b);
    const isKept = ((await guest.read(C + 20, 1)) & 8) !== 0;
    say(`^ ${name}: FEATURES_OK ${isKept ? 'kept' : 'cleared'}`);
  }
  await queueScript(guest, say);
  for (const value of [0x0f, 0]) await status(value);
  await guest.write(C + 22, 2, 0);
  const [enable, size] = [await guest.read(C + 28, 2), await guest.read(C + 24, 2)];
  const rest = `desc ${await word(guest, C + 32)} msix ${hex(await guest.read(C + 26, 2), 4)}`;
  say(`after reset: enable ${enable} size ${size} ${rest}`);
}

async function features(guest: Guest, say: Say, low: number, high: number): Promise<void> {
  const select = (half: number): Promise<void> => guest.write(C + 8, 4, half);
  const read: string[] = [];
  for (const [half, value] of [low, high].entries()) {
    await select(half);
    await guest.write(C + 12, 4, value);
  }
  for (const half of [0, 1]) {
    await select(half);
    read.push(await word(guest, C + 12));
  }
  say(`driver_feature <- ${hex(low, 8)} ${hex(high, 8)} reads ${read.join(' ')}`);
}

async function queueScript(guest: Guest, say: Say): Promise<void> {
  await guest.write(C + 22, 2, 0);
  const size = await guest.read(C + 24, 2);
  for (const value of [size / 2, size * 2, 3, 0]) {
    await guest.write(C + 24, 2, value);
    say(`queue 0 size <- ${value} reads ${await guest.read(C + 24, 2)}`);
  }
  await guest.write(C + 24, 2, size);
  for (const value of [0, 0x7f]) {
    await guest.write(C + 26, 2, value);
    say(`queue 0 msix <- ${hex(value)} reads ${hex(await guest.read(C + 26, 2), 4)}`);
  }
  for (const [at, value] of [0x10_0000, 0, 0x10_1000, 0, 0x10_2000, 0].entries()) {
    await guest.write(C + 32 + 4 * at, 4, value);
  }
  const places = [await word(guest, C + 32), await word(guest, C + 40), await word(guest, C + 48)];
  say(`before enable: desc ${places[0]} driver ${places[1]} device ${places[2]}`);
  await guest.write(C + 28, 2, 1);
  say(`queue 0 enable <- 1 reads ${await guest.read(C + 28, 2)}`);
  await guest.write(C + 28, 2, 0);
  const status = hex(await guest.read(C + 20, 1), 2);
  say(`queue 0 enable <- 0 reads ${await guest.read(C + 28, 2)} status ${status} (a driver must not do this)`);
}
