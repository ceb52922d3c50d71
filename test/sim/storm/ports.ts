import type { Draw } from './draw.ts';
import { into, out, SCRATCH, type Step, step } from './steps.ts';

/** Steps that belong together. */
export type Recipe = (draw: Draw) => readonly Step[];

/** Ranges of ports: of every device, of what KVM serves itself, and one of nobody. */
const RANGES: readonly (readonly [first: number, count: number])[] = [
  ...([
    [0x00, 16],
    [0x20, 2],
    [0x40, 4],
    [0x60, 1],
    [0x61, 1],
    [0x64, 1],
    [0x70, 2],
    [0x7e, 2],
    [0x80, 16],
    [0x92, 1],
    [0xa0, 2],
    [0xb2, 2],
    [0xc0, 32],
    [0xe0, 12],
    [0xf0, 1],
  ] as const),
  ...([
    [0x170, 8],
    [0x1f0, 8],
    [0x2f8, 8],
    [0x300, 4],
    [0x376, 1],
    [0x3f6, 1],
    [0x3f8, 8],
    [0x402, 1],
    [0x4d0, 2],
    [0x510, 2],
    [0x600, 12],
    [0xcf8, 8],
    [0x2000, 24],
    [0xae00, 24],
    [0xaf00, 12],
    [0xafe0, 4],
    [0xb100, 16],
    [0xc000, 16],
    [0xc100, 16],
  ] as const),
];

/** PM1 control: a sleep type ends the run. */
const PM_CONTROL = 0x604;
const SLEEP = 0x2000;
const FW_CFG_DMA = 0x514;
const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const RESET_CONTROL = 0xcf9;

/** What would end the storm, or leave the processor nowhere to go, is not written. */
function harmless(port: number, value: number): number {
  if (port >= PM_CONTROL - 3 && port <= PM_CONTROL + 1) return value & ~(SLEEP | 0x20 | 0x20_0000 | 0x2000_0000);
  return port > RESET_CONTROL - 4 && port <= RESET_CONTROL ? value & ~0x0404_0404 : value;
}

const SIZES = [
  [6, 1],
  [2, 2],
  [2, 4],
] as const;

/** Any port, any size, any value. */
export const anyPort: Recipe = (draw) => {
  const [first, count] = draw.of(RANGES);
  const port = first + draw.below(count);
  const size = draw.weighed(SIZES);
  if (draw.once(24)) return [string(draw, port)];
  if (draw.once(3)) return [into(port, size)];
  // The configuration registers have recipes of their own: a bridge that shuts out the board's firmware is no use.
  if (port >= CONFIG_DATA && port < CONFIG_DATA + 4) return [into(port, size)];
  return [out(port, harmless(port, draw.word()), size)];
};

const STRINGS_MAX = 6;

function string(draw: Draw, port: number): Step {
  const count = 1 + draw.below(STRINGS_MAX);
  const writes = draw.once(2) && (port < 0x400 || port > 0xd00) && port !== 0x92 && port !== 0x64;
  return step(writes ? draw.of(['outs8', 'outs32'] as const) : draw.of(['ins8', 'ins32'] as const), port, count);
}

/** 8259A data sheet: initialisation, operation control words, polling, level-triggered lines. */
export const pic: Recipe = (draw) => {
  const port = draw.of([0x20, 0xa0]);
  return draw.of<() => readonly Step[]>([
    () => [
      out(port, 0x11 | draw.below(16)),
      out(port + 1, draw.of([0x20, 0x28, 0x70, 0xd0])),
      out(port + 1, port === 0x20 ? 4 : 2),
      out(port + 1, draw.of([1, 1, 3, 0x11])),
      out(port + 1, draw.below(256)),
    ],
    () => [out(port, draw.of([0x0a, 0x0b, 0x68, 0x48])), into(port)],
    () => [out(port, 0x0c), into(port), into(port + 1)],
    () => [out(port, draw.of([0x20, 0x60, 0x61, 0xa0, 0xe3, 0xc1, 0x80, 0x00, 0xc7]))],
    () => [out(port + 1, draw.of([0, 0xff, 0xfb, draw.below(256)]))],
    () => [out(0x4d0, draw.word() & 0xf8), out(0x4d1, draw.word() & 0xde)],
  ])();
};

/** 8254 data sheet: modes, both bytes or one, latches, read-back; port 61h. */
export const pit: Recipe = (draw) => {
  const channel = draw.below(3);
  const access = draw.of([1, 2, 3, 3]);
  const mode = draw.below(6);
  const count = draw.of([draw.below(65536), 3, 0, 2000]);
  return draw.of<() => readonly Step[]>([
    () => [
      out(0x43, (channel << 6) | (access << 4) | (mode << 1)),
      out(0x40 + channel, count & 0xff),
      out(0x40 + channel, count >> 8),
    ],
    () => [out(0x43, channel << 6), into(0x40 + channel), into(0x40 + channel)],
    () => [out(0x43, 0xc0 | draw.below(64)), into(0x40 + channel), into(0x40 + channel), into(0x40 + channel)],
    () => [out(0x61, draw.below(16)), into(0x61)],
    () => [out(0x40 + channel, draw.below(256)), into(0x40 + channel)],
  ])();
};

/** MC146818A data sheet: any register, rates, SET, flags, times and alarms that may match. */
export const rtc: Recipe = (draw) => {
  const at = (index: number, value: number): readonly Step[] => [out(0x70, index), out(0x71, value)];
  const bcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);
  return draw.of<() => readonly Step[]>([
    () => at(0x0a, draw.of([0x20, 0x2f, 0x26, 0x23, 0x60, 0x70, draw.below(256)])),
    () => at(0x0b, draw.of([0x02, 0x42, 0x72, 0x12, 0x22, 0x82, 0x06, 0x00, draw.below(256)])),
    () => [out(0x70, draw.of([0x0c, 0x0c, 0x0d, 0x0a, 0x00, 0x04])), into(0x71), into(0x71)],
    () => [draw.of([0x01, 0x03, 0x05])].flatMap((index) => at(index, draw.of([0xc0, 0xff, bcd(draw.below(60))]))),
    () => [...at(0x0b, 0x82), ...at(draw.below(10), bcd(draw.below(12) + 1)), ...at(0x32, 0x20), ...at(0x0b, 0x02)],
    () => at(draw.of([0x0c, 0x0d]), draw.below(256)),
    // The shutdown byte that does not lead back here leads nowhere.
    () => at(0x10 + draw.below(112), draw.below(256)),
    () => [out(0x70, 0x80 | draw.below(128)), into(0x71), into(0x70)],
  ])();
};

/** What a turn of the delay takes, in ticks. */
const TURN = 2;
const HALF_A_SECOND = 500_000_000;
/** How often the registers are looked at around the change. */
const LOOKS = 15;

/**
 * MC146818A data sheet, update cycle: half a second after the divider is let go, the time is about to change. The
 * divider may be held again at any moment then.
 */
export function clockUpdate(nsPerTick: number, draw: Draw): readonly Step[] {
  const held = draw.below(2 * LOOKS);
  const turns = (ns: number): number => Math.floor(ns / nsPerTick / TURN);
  const before = turns(HALF_A_SECOND - 1_000_000);
  const select = (index: number, value: number): readonly Step[] => [out(0x70, index), out(0x71, value)];
  const look = (at: number): readonly Step[] => [
    into(0x71),
    ...(at % 2 === 1
      ? [out(0x71, 0x26), into(0x71), ...select(0x0b, at % 4 === 1 ? 0x72 : 0x42), out(0x70, 0x0a)]
      : []),
    ...(at === held ? [...select(0x0a, 0x70), into(0x71)] : []),
    step('delay', 0, 1 + turns(40_000)),
  ];
  const looks = Array.from({ length: LOOKS }, (_, at) => look(at)).flat();
  const enable = [...select(0x0b, 0x72), ...select(0x0a, 0x70), ...select(0x0a, 0x26)];
  return [...enable, out(0x70, 0x0a), step('delay', 0, before), ...looks, out(0x70, 0x0c), into(0x71)];
}

/** PC16550D data sheet: everything, with bytes on the way both ways. */
export const uart: Recipe = (draw) => {
  const base = draw.of([0x3f8, 0x2f8]);
  return draw.of<() => readonly Step[]>([
    () => [out(base + 3, 3), out(base + 1, draw.below(16)), out(base + 4, draw.of([0x0b, 0x0b, 0x1b, 0x10]))],
    () => [out(base + 2, draw.of([0x01, 0x07, 0x41, 0x81, 0xc1, 0x00, 0xc7])), into(base + 2)],
    () => [out(base, draw.below(256)), into(base + 5), into(base + 2)],
    () => [out(base + 4, 0x1b), ...Array.from({ length: 1 + draw.below(18) }, () => out(base, draw.below(256)))],
    () => [into(base), into(base), into(base + 5)],
    () => [out(base + 3, 0x83), out(base, draw.below(256)), out(base + 1, draw.below(4)), out(base + 3, 3)],
    () => [into(base + 6), out(base + 4, draw.below(32)), into(base + 6)],
    () => [step('outs8', base, 1 + draw.below(STRINGS_MAX))],
  ])();
};

/** IBM PS/2 Technical Reference: controller, keyboard and mouse with their parameters. */
export const keyboard: Recipe = (draw) => {
  const KEYBOARD = [0xff, 0xf2, 0xf0, 0xed, 0xf3, 0xf4, 0xf5, 0xf6, 0xee, 0x00, 0xfa, 0xfc, 0x11];
  const MOUSE = [0xff, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xee, 0xf0, 0xec, 0x33];
  const mouse = (byte: number): readonly Step[] => [out(0x64, 0xd4), out(0x60, byte)];
  return draw.of<() => readonly Step[]>([
    () => [out(0x60, draw.of(KEYBOARD)), into(0x60), into(0x60)],
    () => [out(0x60, draw.of([0xf0, 0xf0, 0xed, 0xf3, 0xfc])), out(0x60, draw.below(6)), into(0x60)],
    () => [...mouse(draw.of(MOUSE)), into(0x60)],
    () => [0xff, 0x00, 0xfa, 0xee].flatMap((byte) => [out(0x60, byte), into(0x60), into(0x60), into(0x60)]),
    () => [0xee, 0x33, 0xe9, draw.of([0xec, 0xff, 0xee]), 0xe9].flatMap((byte) => [...mouse(byte), into(0x60)]),
    () => [0xf0, 0xe9, 0xea, 0xe9].flatMap((byte) => [...mouse(byte), into(0x60), into(0x60)]),
    () => [0xe8, draw.below(4), 0xf0, 0xe7, 0xf4, 0xe9, 0xea].flatMap((byte) => [...mouse(byte), into(0x60)]),
    () => [0xd0, 0xc0, 0x20].flatMap((command) => [out(0x64, command), into(0x60)]),
    () => [
      ...[200, draw.of([100, 200]), 80].flatMap((rate) => [...mouse(0xf3), ...mouse(rate)]),
      ...Array.from({ length: 8 }, () => into(0x60)),
      ...mouse(0xeb),
      into(0x60),
    ],
    () => [out(0x64, 0x60), out(0x60, draw.of([0x03, 0x43, 0x47, 0x33, 0x00]))],
    () => [out(0x64, draw.of([0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae, 0x20, 0xc0, 0xd0, 0xdd, 0xdf])), into(0x60)],
    () => [out(0x64, draw.of([0xd2, 0xd3])), out(0x60, draw.below(256)), into(0x64), into(0x60)],
    () => [out(0x64, 0xd1), out(0x60, draw.below(256) | 1)],
    () => [into(0x60), into(0x64), into(0x60)],
  ])();
};

/** 8237A data sheet: channels, pages, commands. */
export const dma: Recipe = (draw) => {
  const second = draw.once(2);
  const port = (at: number): number => (second ? 0xc0 + 2 * at : at);
  return draw.of<() => readonly Step[]>([
    () => [out(port(12), 0), out(port(draw.below(8)), draw.below(256)), out(port(draw.below(8)), draw.below(256))],
    () => [out(port(8 + draw.below(8)), draw.below(256)), into(port(8))],
    () => [into(port(draw.below(8))), into(port(draw.below(8)))],
    // Requests by software, then the status that tells and forgets.
    () => [out(port(9), 4 | draw.below(4)), into(port(8)), into(port(8))],
    () => [out(0x81 + draw.below(15), draw.below(256)), into(0x81 + draw.below(15))],
    () => [out(port(8), 4), out(port(9), draw.below(8)), out(port(10), draw.below(8)), out(port(15), draw.below(16))],
  ])();
};

const configured = (slot: number, fn: number, register: number): Step =>
  out(CONFIG_ADDRESS, (0x80000000 | (slot << 11) | (fn << 8) | (register & 0xfc)) >>> 0, 4);

/** A write to a configuration register. PCI 3.0, 3.2.2.3.2. */
export const configure = (slot: number, fn: number, register: number, value: number, size = 4): readonly Step[] => [
  configured(slot, fn, register),
  out(CONFIG_DATA + (register & 3), value, size),
];

const FUNCTIONS = [
  [0, 0],
  [1, 0],
  [1, 1],
  [1, 3],
  [2, 0],
  [3, 0],
  [9, 0],
] as const;
const BRIDGE = 0;
const PM = 3;

/** What is left alone: where PM1 control lies, and what stands in the place of the board's firmware. */
const isKept = (slot: number, fn: number, register: number): boolean =>
  (slot === BRIDGE && register === 0x58) || (slot === 1 && fn === PM && (register === 0x40 || register === 0x80));

/** Configuration space of any function, and of none. */
export const pci: Recipe = (draw) => {
  const [slot, fn] = draw.of(FUNCTIONS);
  const register =
    draw.of([0x04, 0x10, 0x14, 0x20, 0x3c, 0x40, 0x58, 0x5c, 0x60, 0x72, 0x90, draw.below(64) * 4]) & 0xff;
  const size = draw.of([1, 2, 4]);
  const at = (register & 0xfc) + (size === 4 ? 0 : size === 2 ? draw.of([0, 2]) : draw.below(4));
  if (draw.once(4)) return [configured(slot, fn, at), into(CONFIG_DATA + (at & 3), size)];
  const value = draw.of([0, 0xffff_ffff, draw.word(), 0xc001, 0xfeb0_0000, 7]);
  if (isKept(slot, fn, register & 0xfc)) return [configured(slot, fn, at), into(CONFIG_DATA, 4)];
  return configure(slot, fn, at, value, size);
};

/** PM registers, the bus master, the test device and the bus of sensors where the recipes look for them. */
export const placed: Recipe = () => [
  ...configure(1, PM, 0x40, 0x601),
  ...configure(1, PM, 0x80, 1, 1),
  ...configure(1, PM, 0x90, 0xb101),
  ...configure(1, PM, 0xd2, 9, 1),
  ...configure(1, 1, 0x20, 0xc101),
  ...configure(1, 1, 0x04, 5, 2),
  ...configure(2, 0, 0x10, 0xfeb0_0000),
  ...configure(2, 0, 0x14, 0xc001),
  ...configure(2, 0, 0x04, 3, 2),
];

/** 82371AB data sheet, chapter 7. */
export const power: Recipe = (draw) =>
  draw.of<() => readonly Step[]>([
    () => [out(0x602, draw.of([0x101, 0x521, 0x100, draw.below(65536)]), 2), into(0x600, 2)],
    () => [out(0x600, draw.below(65536), 2), into(0x602, 2)],
    () => [out(PM_CONTROL, draw.below(65536) & ~SLEEP, 2), into(PM_CONTROL, 2), into(0x608, 4)],
    () => [out(0xafe0 + draw.below(4), draw.below(256)), into(0xafe0 + draw.below(4))],
    () => [out(0x7e, draw.below(65536), 2), into(0x7e)],
    () => [out(0xb2, draw.of([0xf0, 0xf1, 1])), out(0xb3, draw.below(256)), into(0xb2)],
    () => [out(0xc100 + draw.below(16), draw.below(256)), into(0xc100 + draw.below(16))],
    () => [out(0xaf00, draw.below(4), 4), out(0xaf05, draw.below(4)), into(0xaf04), into(0xaf08)],
    () => [out(0xb100 + draw.below(16), draw.below(256)), out(0xb102, 0x40 | draw.below(64)), into(0xb100)],
  ])();

/** docs/specs/pci-testdev.txt: a test is chosen, then its address written. */
export const testDevice: Recipe = (draw) => {
  const test = draw.below(4);
  const counted = [out(0xc000, test), out(0xc080 + 3 + test, draw.of([0xfa, 0xfa, 1])), into(0xc000 + draw.below(32))];
  return draw.of<() => readonly Step[]>([
    () => counted,
    () => [step('store8', 0xfeb0_0000, test), step('store8', 0xfeb0_0800 + test, draw.of([0xfa, 0xfa, 1]))],
    () => [out(0x2000 + draw.below(24), draw.below(2)), out(0x2000 + draw.below(24), 0)],
    () => [step('store32', 0xff00_0000 + draw.below(64), draw.word()), step('load32', 0xff00_0000)],
    () => [out(0xe0 + draw.below(4), draw.below(256)), into(0xe0, 4), out(0xe8, draw.below(256)), into(0xe8)],
  ])();
};

const swapped = (value: number): number =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

/** docs/specs/fw_cfg.rst: selecting, reading, and transfers into pages of the storm's own. */
export const firmwareConfiguration: Recipe = (draw) => {
  const key = draw.of([0, 1, 2, 5, 0x0f, 0x19, 0x20, 0x22, 0x3fff, draw.below(65536)]);
  const descriptor = SCRATCH + 0x100;
  const control = (draw.of([0x08, 0x0a, 0x0c, 0x02, 0x04, 0x10]) | (key << 16)) >>> 0;
  return draw.of<() => readonly Step[]>([
    () => [out(0x510, key, 2), into(0x511), into(0x511), into(0x511)],
    () => [
      step('store32', descriptor, swapped(control)),
      step('store32', descriptor + 4, swapped(draw.below(64))),
      step('store32', descriptor + 8, 0),
      step('store32', descriptor + 12, swapped(SCRATCH + 0x200)),
      out(FW_CFG_DMA, 0, 4),
      out(FW_CFG_DMA + 4, swapped(descriptor), 4),
      into(0x511),
    ],
    () => [out(FW_CFG_DMA, draw.word(), 4), out(FW_CFG_DMA, 0, 4), into(FW_CFG_DMA, 4)],
  ])();
};

/** Ways to begin anew: the processors alone, or the machine. */
export const restart: Recipe = (draw) =>
  draw.of<() => readonly Step[]>([
    () => [out(0x92, 1)],
    () => [out(0x64, 0xfe)],
    () => [out(RESET_CONTROL, 0), out(RESET_CONTROL, 4)],
    () => [out(RESET_CONTROL, 2), out(RESET_CONTROL, 6)],
    () => [out(0x4f4, 0)],
    () => [out(0x70, 0x0f), out(0x71, 0x0a), out(0x92, 1), out(0x70, 0x0f), out(0x71, 0)],
  ])();

/** Power off by PM1 control; isa-debug-exit, should that not do. */
export const ending: Recipe = (draw) => [
  ...placed(draw),
  ...configure(1, PM, 0x04, 1, 2),
  out(PM_CONTROL, SLEEP, 2),
  out(0x501, 5),
];
