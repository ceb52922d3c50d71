/** Registers of both interfaces: at reset, and after fixed scripts of writes. */
import { ConfigSpace, dumpOf, type Guest, hex, numberOf, PLACE, placed, type Say, structure } from '../guest.ts';

const C = structure('common');

/** What there is of the two interfaces and of MSI-X. */
interface Shape {
  readonly isLegacy: boolean;
  readonly isModern: boolean;
}

async function shapeOf(guest: Guest): Promise<Shape> {
  const config = new ConfigSpace(guest);
  return { isLegacy: ((await config.read(0x10)) & 1) !== 0, isModern: (await config.read(0x20)) !== 0 };
}

/** Every register, read once. */
export async function registersAtReset(guest: Guest, say: Say): Promise<void> {
  const msix = await placed(guest);
  const { isLegacy, isModern } = await shapeOf(guest);
  if (isLegacy) await legacyAtReset(guest, say);
  if (isModern) await modernAtReset(guest, say);
  if (msix !== 0) await msixAtReset(guest, msix, say);
}

async function legacyAtReset(guest: Guest, say: Say): Promise<void> {
  const { io } = PLACE;
  say(`host_features ${hex(await guest.in(io, 4), 8)} guest_features ${hex(await guest.in(io + 4, 4), 8)}`);
  for (let queue = 0; queue < 6; queue++) {
    await guest.out(io + 14, 2, queue);
    say(`queue ${queue}: pfn ${hex(await guest.in(io + 8, 4), 8)} num ${await guest.in(io + 12, 2)}`);
  }
  say(`status ${hex(await guest.in(io + 18, 1), 2)} isr ${hex(await guest.in(io + 19, 1), 2)}`);
  const bytes = new Uint8Array(108);
  for (let at = 0; at < bytes.length; at++) bytes[at] = await guest.in(io + 20 + at, 1);
  dumpOf(bytes).forEach((line) => say(`legacy from 20 on, ${line}`));
}

async function modernAtReset(guest: Guest, say: Say): Promise<void> {
  const words: string[] = [];
  for (let select = 0; select < 4; select++) {
    await guest.write(C, 4, select);
    words.push(hex(await guest.read(C + 4, 4), 8));
  }
  say(`device_feature words ${words.join(' ')}`);
  say(`msix_config ${hex(await guest.read(C + 16, 2), 4)} num_queues ${await guest.read(C + 18, 2)}`);
  say(`status ${hex(await guest.read(C + 20, 1), 2)} config_generation ${hex(await guest.read(C + 21, 1), 2)}`);
  for (let queue = 0; queue < 6; queue++) {
    await guest.write(C + 22, 2, queue);
    const [size, vector, enable, notify] = [24, 26, 28, 30].map((at) => guest.read(C + at, 2));
    say(`queue ${queue}: size ${await size} msix ${hex(await vector!, 4)} enable ${await enable} off ${await notify}`);
    say(`  desc, driver, device ${await addresses(guest)}`);
  }
  await say(`isr ${hex(await guest.read(structure('isr'), 1), 2)}`);
  const bytes = new Uint8Array(96);
  for (let at = 0; at < bytes.length; at++) bytes[at] = await guest.read(structure('device') + at, 1);
  dumpOf(bytes).forEach((line) => say(`device configuration ${line}`));
  for (let at = 0; at < 16; at++) bytes[at] = await guest.read(C + 56 + at, 1);
  say(`common from 56 on: ${dumpOf(bytes.subarray(0, 16))[0]}`);
}

async function addresses(guest: Guest): Promise<string> {
  const words: string[] = [];
  for (const at of [32, 40, 48]) {
    const low = await guest.read(C + at, 4);
    words.push(`${hex(await guest.read(C + at + 4, 4), 8)}:${hex(low, 8)}`);
  }
  return words.join(' ');
}

async function msixAtReset(guest: Guest, at: number, say: Say): Promise<void> {
  const config = new ConfigSpace(guest);
  const control = await config.read(at + 2, 2);
  const [table, pba] = [await config.read(at + 4), await config.read(at + 8)];
  say(`MSI-X at ${hex(at)}: control ${hex(control, 4)} table ${hex(table, 8)} pba ${hex(pba, 8)}`);
  const entries = Math.min((control & 0x7ff) + 1, 6);
  for (let entry = 0; entry < entries; entry++) {
    say(`entry ${entry}: ${dumpOf(await peekWords(guest, PLACE.msix + 16 * entry, 4))[0]}`);
  }
}

async function peekWords(guest: Guest, gpa: number, count: number): Promise<Uint8Array> {
  const words: number[] = [];
  for (let at = 0; at < count; at++) words.push(await guest.read(gpa + 4 * at, 4));
  return new Uint8Array(Uint32Array.from(words).buffer);
}

/** A driver of the legacy interface, up to DRIVER_OK and back. */
export async function legacyScript(guest: Guest, say: Say): Promise<void> {
  await placed(guest);
  const { io } = PLACE;
  const status = async (value: number): Promise<void> => {
    await guest.out(io + 18, 1, value);
    await guest.settle();
    say(`status <- ${hex(value, 2)} reads ${hex(await guest.in(io + 18, 1), 2)}`);
  };
  const queue = async (): Promise<void> =>
    say(`queue ${await guest.in(io + 14, 2)}: pfn ${hex(await guest.in(io + 8, 4), 8)}, ${await guest.in(io + 12, 2)}`);
  await status(1);
  await status(3);
  for (const features of [0xffff_ffff, 0x3fff_ffff, 0x6e54, 0]) {
    await guest.out(io + 4, 4, features);
    say(`guest_features <- ${hex(features, 8)} reads ${hex(await guest.in(io + 4, 4), 8)}`);
  }
  for (const [number, page] of [
    [0, 0x100],
    [0, 0x200],
    [1, 0x100],
    [700, 1],
    [1023, 5],
    [1024, 6],
    [0xffff, 7],
  ] as const) {
    await guest.out(io + 14, 2, number);
    await guest.out(io + 8, 4, page);
    await queue();
  }
  for (const word of [3, 0xffff]) {
    await guest.out(io + 12, 2, word);
    await queue();
  }
  await status(7);
  say(`isr ${hex(await guest.in(io + 19, 1), 2)}`);
  await guest.out(io + 4, 4, 0x54);
  say(`features after DRIVER_OK: ${hex(await guest.in(io + 4, 4), 8)}`);
  await guest.out(io + 14, 2, 0);
  await guest.out(io + 8, 4, 0);
  say(`pfn <- 0: status ${hex(await guest.in(io + 18, 1), 2)} features ${hex(await guest.in(io + 4, 4), 8)}`);
  await queue();
  for (const value of [1, 3, 0x83, 0x100, 0xff, 0]) await status(value);
  await vectorsOf(
    guest,
    say,
    (at) => guest.in(io + at, 2),
    (at, value) => guest.out(io + at, 2, value),
  );
  guest.said().forEach(say);
}

/** Vectors of the legacy interface are there while MSI-X is on. */
async function vectorsOf(
  guest: Guest,
  say: Say,
  read: (at: number) => Promise<number>,
  write: (at: number, value: number) => Promise<void>,
): Promise<void> {
  const config = new ConfigSpace(guest);
  const msix = await config.capability(0x11);
  for (const control of [0x8000, 0xc000, 0x4000, 0]) {
    await config.write(msix + 2, 2, control);
    for (const value of [1, 0, 2, 3, 0xffff]) {
      await write(20, value);
      await write(22, value);
      say(`MSI-X ${hex(control, 4)}, vectors <- ${hex(value)}: ${hex(await read(20))} ${hex(await read(22))}`);
    }
    say(`capacity at 24: ${hex(await read(24), 4)}`);
  }
}

/** A driver of the modern interface with all its mistakes. */
export async function modernScript(guest: Guest, say: Say): Promise<void> {
  await placed(guest);
  const status = async (value: number): Promise<void> => {
    await guest.write(C + 20, 1, value);
    await guest.settle();
    say(`status <- ${hex(value, 2)} reads ${hex(await guest.read(C + 20, 1), 2)}`);
    guest.said().forEach(say);
  };
  for (const [low, high] of [
    [0xffff_ffff, 0],
    [0xffff_ffff, 0xffff_ffff],
    [0x44, 0],
    [0x6e54, 1],
  ] as const) {
    for (const value of [0, 1, 3]) await status(value);
    await features(guest, say, low, high);
    await status(0xb);
    await features(guest, say, 0, 0);
  }
  await selections(guest, say);
  await queueRegisters(guest, say);
  for (const value of [0xf, 0xb, 0xf, 0x4f, 0x8f, 0]) await status(value);
  await guest.write(C + 22, 2, 0);
  say(`after reset: ${await queueSays(guest)}`);
}

async function features(guest: Guest, say: Say, low: number, high: number): Promise<void> {
  for (const [select, value] of [
    [0, low],
    [1, high],
    [2, 0xffff_ffff],
  ] as const) {
    await guest.write(C + 8, 4, select);
    await guest.write(C + 12, 4, value);
  }
  const read: string[] = [];
  for (let select = 0; select < 4; select++) {
    await guest.write(C + 8, 4, select);
    read.push(hex(await guest.read(C + 12, 4), 8));
  }
  say(`driver_feature <- ${hex(low, 8)} ${hex(high, 8)} reads ${read.join(' ')}`);
}

async function selections(guest: Guest, say: Say): Promise<void> {
  for (const value of [2, 31, 0xffff_ffff]) {
    await guest.write(C, 4, value);
    await guest.write(C + 8, 4, value);
    say(`select <- ${hex(value)}: ${hex(await guest.read(C, 4))} ${hex(await guest.read(C + 4, 4))}`);
    say(`  driver's: ${hex(await guest.read(C + 8, 4))} ${hex(await guest.read(C + 12, 4))}`);
  }
  for (const value of [1, 5, 1023, 1024, 0xffff, 0]) {
    await guest.write(C + 22, 2, value);
    say(`queue_select <- ${value}: ${await guest.read(C + 22, 2)}, ${await queueSays(guest)}`);
  }
}

async function queueSays(guest: Guest): Promise<string> {
  const read = async (at: number): Promise<string> => hex(await guest.read(C + at, 2), 4);
  const [size, vector, enable] = [await read(24), await read(26), await read(28)];
  const [notify, number, reset] = [await read(30), await read(56), await read(58)];
  const ring = await addresses(guest);
  return `size ${size} msix ${vector} enable ${enable} off ${notify} ${number} reset ${reset} ${ring}`;
}

async function queueRegisters(guest: Guest, say: Say): Promise<void> {
  const write = async (at: number, size: 2 | 4, value: number): Promise<void> => {
    await guest.write(C + at, size, value);
    say(`common ${at} <- ${hex(value)}: ${await queueSays(guest)} status ${hex(await guest.read(C + 20, 1), 2)}`);
    guest.said().forEach(say);
  };
  for (const size of [128, 512, 3, 0, 1024, 1025, 0xffff, 1, 256]) await write(24, 2, size);
  for (const vector of [0, 0x7f, 1, 2, 0xffff]) await write(26, 2, vector);
  for (const vector of [0, 0x7f, 1]) {
    await guest.write(C + 16, 2, vector);
    say(`msix_config <- ${hex(vector)} reads ${hex(await guest.read(C + 16, 2), 4)}`);
  }
  for (const [at, value] of [
    [32, 0x10_0000],
    [40, 0x10_1000],
    [48, 0x10_2000],
    [36, 1],
    [36, 0],
  ] as const) {
    await write(at, 4, value);
  }
  for (const value of [1, 2, 0, 1]) await write(28, 2, value);
  for (const value of [2, 0, 1]) await write(58, 2, value);
  await write(56, 2, 1);
}

/** The window in configuration space onto the structures. */
export async function windowScript(guest: Guest, say: Say): Promise<void> {
  await placed(guest);
  const config = new ConfigSpace(guest);
  const at = await windowAt(config);
  const through = async (offset: number, length: number, bar = 4): Promise<void> => {
    await config.write(at + 4, 1, bar);
    await config.write(at + 8, 4, offset);
    await config.write(at + 12, 4, length);
  };
  await guest.write(C + 20, 1, 0xb);
  const reads = [
    [0x2000, 4],
    [20, 1],
    [0x2001, 2],
    [0x2003, 4],
    [0, 3],
    [0, 0],
    [0, 8],
    [0x1fff, 2],
    [0x4000, 4],
  ] as const;
  for (const [offset, length] of reads) {
    await through(offset, length);
    const whole = await config.read(at + 16);
    const [byte, word] = [await config.read(at + 16, 1), await config.read(at + 18, 2)];
    say(`read ${hex(offset)} of ${length}: ${hex(whole, 8)} byte ${hex(byte)} upper word ${hex(word)}`);
  }
  for (const bar of [0, 1, 2, 4, 5, 6, 0xff]) {
    await through(0x2000, 4, bar);
    say(`BAR ${hex(bar)}: ${hex(await config.read(at + 16), 8)}`);
  }
  const writes = [
    [20, 1, 0],
    [22, 2, 0x1ff],
    [24, 2, 0x80],
    [22, 2, 0],
    [24, 2, 0x80],
    [33, 4, 0x1234_5678],
    [0x3000, 4, 0],
  ] as const;
  for (const [offset, length, value] of writes) {
    await through(offset, length);
    await config.write(at + 16, 4, value);
    say(`write ${hex(offset)} of ${length}: ${hex(value)}, ${await queueSays(guest)}`);
  }
  await through(24, 2);
  await config.write(at + 17, 1, 1);
  say(`one byte of the data: ${await queueSays(guest)}`);
  await config.write(at + 18, 2, 1);
  say(`the other word: ${await queueSays(guest)}`);
  await guest.settle();
  say(`status ${hex(await guest.read(C + 20, 1), 2)}`);
  guest.said().forEach(say);
}

/** Where the capability of the window lies. */
export async function windowAt(config: ConfigSpace): Promise<number> {
  let at = await config.read(0x34, 1);
  while (at !== 0 && (await config.read(at + 3, 1)) !== 5) at = await config.read(at + 1, 1);
  return at;
}

/** Table and pending bits of MSI-X in all widths, and its control. */
export async function msixScript(guest: Guest, say: Say): Promise<void> {
  const msix = await placed(guest);
  const config = new ConfigSpace(guest);
  const entry = async (): Promise<string> => numberWords(await peekWords(guest, PLACE.msix, 4));
  for (const [at, value] of [
    [0, 0xfee0_0003],
    [4, 0xffff_ffff],
    [8, 0xffff_ffff],
    [12, 0xffff_ffff],
    [12, 0],
  ] as const) {
    await guest.write(PLACE.msix + at, 4, value);
    say(`entry ${at} <- ${hex(value)}: ${await entry()}`);
  }
  for (const [at, size] of [
    [0, 1],
    [0, 2],
    [2, 2],
    [1, 4],
    [2, 4],
    [6, 4],
  ] as const) {
    await guest.write(PLACE.msix + at, size, 0);
    say(`entry ${at} of ${size} <- 0: ${await entry()}, read ${hex(await guest.read(PLACE.msix + at, size))}`);
  }
  for (const at of [0x20, 0x100, 0x7fc, 0x800, 0x804, 0x808, 0xffc]) {
    await guest.write(PLACE.msix + at, 4, 0xffff_ffff);
    say(`BAR 1 at ${hex(at)} reads ${hex(await guest.read(PLACE.msix + at, 4))}`);
  }
  for (const control of [0xc000, 0x8000, 0x4fff, 0xffff, 0]) {
    await config.write(msix + 2, 2, control);
    say(`message control <- ${hex(control, 4)} reads ${hex(await config.read(msix + 2, 2), 4)}`);
  }
}

const numberWords = (bytes: Uint8Array): string =>
  [0, 4, 8, 12].map((at) => hex(numberOf(bytes.subarray(at, at + 4)), 8)).join(' ');
