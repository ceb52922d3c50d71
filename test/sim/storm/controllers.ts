import type { Draw } from './draw.ts';
import type { Recipe } from './ports.ts';
import { load, out, SCRATCH, SCRATCH_SIZE, type Step, step, store, wrmsr } from './steps.ts';

const LAPIC = 0xfee00000;
const IOAPIC = 0xfec00000;
const HPET = 0xfed00000;
/** pc-testdev's lines, and one that nobody else drives. */
const TEST_LINES = 0x2000;
const STANDING = 10;

const APIC_BASE = 0x1b;
const X2APIC = 0x800;
const DEFAULT_BASE = 0xfee00000;
const ENABLED = 0x800;
const EXTENDED = 0x400;

/** An INIT that hits the first processor leaves nobody to start it again: no message is one unless meant. */
const INIT = 0x500;
const MODE = 0x700;
const withoutInit = (message: number): number => ((message & MODE) === INIT ? message & ~MODE : message) >>> 0;

const REGISTERS = [0x20, 0x80, 0xb0, 0xd0, 0xe0, 0xf0, 0x280, 0x2f0, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360];
const MORE_REGISTERS = [0x370, 0x380, 0x390, 0x3e0, 0x3f0, 0x30, 0x90, 0xa0, 0xc0, 0x100, 0x170, 0x180, 0x200, 0x270];

const vector = (draw: Draw): number => 0x30 + draw.below(0xc0);

/** xAPIC from the start: whatever mode it was in, the interrupts that were requested are lost. */
export const xapic = (cpu: number): readonly Step[] => {
  const bsp = cpu === 0 ? 0x100 : 0;
  return [
    wrmsr(APIC_BASE, DEFAULT_BASE + bsp),
    wrmsr(APIC_BASE, DEFAULT_BASE + ENABLED + bsp),
    store(LAPIC + 0xf0, 0x1ff),
  ];
};

const x2apic = (cpu: number): readonly Step[] => [
  wrmsr(APIC_BASE, DEFAULT_BASE + ENABLED + EXTENDED + (cpu === 0 ? 0x100 : 0)),
  wrmsr(X2APIC + 0xf, 0x1ff),
];

/** A register of the local APIC in both modes: the one it is not in refuses. */
const lapicWrite = (register: number, value: number): readonly Step[] => [
  store(LAPIC + register, value),
  wrmsr(X2APIC + (register >> 4), value),
];

/** SDM Vol. 3, 11.5.4: the timer in its three modes, masked and not, with its divider. */
const timer: Recipe = (draw) => {
  const mode = draw.of([0, 0, 0x20000, 0x40000, 0x60000]);
  const entry = mode | (draw.once(5) ? 0x10000 : 0) | vector(draw);
  return draw.of<() => readonly Step[]>([
    () => [...lapicWrite(0x320, entry), ...lapicWrite(0x3e0, draw.below(16)), ...lapicWrite(0x380, draw.below(40_000))],
    () => [...lapicWrite(0x320, 0x40000 | vector(draw)), step('deadline', 0, draw.below(400_000))],
    () => [...lapicWrite(0x380, draw.of([0, 1, 500, draw.below(100_000)])), load(LAPIC + 0x390)],
    () => [step('rdmsr', 0x6e0), wrmsr(0x6e0, draw.of([0, 1, draw.word()]))],
    // Switched off by software with a count under way, and on again.
    () => [...lapicWrite(0xf0, 0xff), ...lapicWrite(0xf0, 0x1ff), ...lapicWrite(0x320, entry)],
  ])();
};

/** SDM Vol. 3, 11.6: fixed, lowest priority, NMI and others; one, oneself, all, all others. */
const message: Recipe = (draw) => {
  const mode = draw.of([0, 0, 0, 0x100, 0x200, 0x300, 0x400, 0x700]);
  const shorthand = draw.below(4) << 18;
  const low =
    (0x4000 | mode | shorthand | (draw.once(4) ? 0x800 : 0) | (draw.once(6) ? 0x8000 : 0) | vector(draw)) >>> 0;
  const to = draw.of([0, 1, 2, 3, 0xff, 0x0f, 7]);
  return draw.of<() => readonly Step[]>([
    () => [store(LAPIC + 0x310, to << 24), store(LAPIC + 0x300, low)],
    () => [wrmsr(X2APIC + 0x30, (BigInt(draw.of([0, 1, 2, 0xffff_ffff, 0xf])) << 32n) | BigInt(low))],
    () => [wrmsr(X2APIC + 0x3f, vector(draw))],
    () => [step('vmcall', 10, 3)],
  ])();
};

/** Any register of the local APIC, of any size, in any mode. */
export const lapic =
  (cpu: number): Recipe =>
  (draw) =>
    draw.weighed<() => readonly Step[]>([
      [3, () => timer(draw)],
      [3, () => message(draw)],
      [2, () => [store(LAPIC + draw.of(draw.once(2) ? REGISTERS : MORE_REGISTERS), withoutInit(draw.word()))]],
      [2, () => [wrmsr(X2APIC + draw.below(0x40), withoutInit(draw.of([0, draw.word(), draw.below(0x400)])))]],
      [1, () => [step('rdmsr', X2APIC + draw.below(0x40)), load(LAPIC + draw.below(0x40) * 16)]],
      [1, () => [load(LAPIC + draw.below(0x400), draw.of([1, 2, 4, 8]))]],
      [1, () => [...lapicWrite(0x80, draw.below(256)), step('readCr8'), step('writeCr8', 0, draw.below(16))]],
      [1, () => lapicWrite(draw.of([0x350, 0x360, 0x340, 0x370]), draw.of([0x10000, 0x700, 0x8700, 0x400, 0xa031]))],
      [1, () => [store(LAPIC + 0xd0, draw.word()), store(LAPIC + 0xe0, draw.of([0xffff_ffff, 0x0fff_ffff]))]],
      [1, () => lapicWrite(0xb0, 0)],
      [1, () => draw.of([xapic(cpu), x2apic(cpu), [wrmsr(APIC_BASE, DEFAULT_BASE)], xapic(cpu)])],
    ])();

/** 82093AA data sheet: redirection entries in all modes, masked and not. */
export const ioapic: Recipe = (draw) => {
  const pin = draw.below(24);
  const low = withoutInit(
    vector(draw) |
      draw.of([0, 0, 0x100, 0x400, 0x700]) |
      draw.of([0, 0x800, 0x2000]) |
      draw.of([0, 0, 0x8000, 0x10000]),
  );
  const select = (index: number): Step => store(IOAPIC, index);
  const high = draw.of([0, 0, 1, 0xf, 0xff]) << 24;
  return draw.of<() => readonly Step[]>([
    () => [
      ...[select(0x11 + 2 * pin), store(IOAPIC + 0x10, high >>> 0)],
      ...[select(0x10 + 2 * pin), store(IOAPIC + 0x10, low)],
    ],
    () => [select(0x10 + 2 * pin), store(IOAPIC + 0x10, low), store(IOAPIC + 0x10, (low | 0x10000) >>> 0)],
    () => [select(draw.of([0, 1, 2, 0x3f, draw.below(256)])), load(IOAPIC + 0x10)],
    () => [select(0), store(IOAPIC + 0x10, draw.word()), load(IOAPIC)],
    () => [store(IOAPIC + 0x40, vector(draw)), load(IOAPIC + draw.below(0x50), draw.of([1, 2, 4, 8]))],
    () => [select(0x10 + draw.below(48)), store(IOAPIC + 0x10, withoutInit(draw.word()))],
    () => [store(IOAPIC + draw.below(0x50), 0, draw.of([1, 2, 8]))],
  ])();
};

/** A level that nobody takes away: after ten thousand ends of interrupt in a row KVM lets the guest get on. */
export const standing = (): readonly Step[] => [
  ...[...xapic(0), out(0x21, 0xff), out(0xa1, 0xff)],
  ...[store(IOAPIC, 0x10 + 2 * STANDING), store(IOAPIC + 0x10, 0x8050), out(TEST_LINES + STANDING, 1)],
  ...[step('press', 0, 12_000), out(TEST_LINES + STANDING, 0)],
];

/** IA-PC HPET specification, 2.3: on and off, legacy routing, all kinds of timers, halves and whole registers. */
export const hpet: Recipe = (draw) => {
  const at = HPET + 0x100 + 0x20 * draw.below(4);
  const kind = draw.of([0x04, 0x0c, 0x4c, 0x06, 0x104, 0x14c, 0x4004, 0x00, draw.word()]);
  return draw.of<() => readonly Step[]>([
    () => [store(at, (kind | draw.of([0, 0x400, 0x0400 | 2])) >>> 0), store(at + 8, draw.below(60_000))],
    () => [store(at + 8, draw.below(60_000)), store(at + 12, draw.of([0, 0, 1]))],
    () => [store(HPET + 0x10, draw.of([0, 1, 1, 3]))],
    () => [
      store(HPET + 0x10, 0),
      store(HPET + 0xf0, draw.of([0, 0xffff_f000, draw.word()])),
      store(HPET + 0xf4, draw.below(2)),
    ],
    () => [store(HPET + 0x20, draw.below(8)), load(HPET + 0xf0, 8), load(HPET + 0xf4)],
    () => [store(at + 8, BigInt(draw.word()), 8), load(at + 8, 8), load(at)],
    () => [store(at + 0x10, draw.of([0x41, 0x4055, 0x4141])), store(at + 0x14, 0xfee00000)],
    () => [load(HPET + draw.below(0x400), draw.of([1, 2, 4, 8])), store(HPET + draw.below(0x100) * 4, draw.word())],
  ])();
};

/** Memory of nobody, and instructions that read and write mapped registers at once. */
export const mapped: Recipe = (draw) =>
  draw.of<() => readonly Step[]>([
    () => [load(0xfd000000 + draw.below(0x1000), draw.of([1, 2, 4, 8])), store(0xfd000000, draw.word())],
    () => [step('exchange32', HPET + 0xf0, draw.word()), step('add32', HPET + 0x108, draw.below(100))],
    () => [store(0xffff_fff0, 1), store(0xc8000, 1), load(0xa0000)],
    () => [step('add32', SCRATCH + draw.below(SCRATCH_SIZE), 1)],
  ])();

const KEPT_MSRS = [0x3b, 0x48, 0x8b, 0x140, 0x174, 0x17a, 0x17b, 0x1a0, 0x1d9, 0x1fc, 0x277, 0x2ff, 0x3a, 0x9e];
const OTHER_MSRS = [0x17, 0xce, 0x10a, 0x179, 0x186, 0x198, 0x606, 0xc0000103, 0xc0010015, 0x12345];

/** MSRs that KVM keeps, those it makes up, and some of nobody. */
export const msr: Recipe = (draw) => {
  const page = SCRATCH + 64 * draw.below(SCRATCH_SIZE / 64);
  const value = draw.of([0n, 1n, 0xffff_ffff_ffff_ffffn, BigInt(draw.word()), 0x0606060606060606n]);
  return draw.of<() => readonly Step[]>([
    () => [wrmsr(draw.of(KEPT_MSRS), value), step('rdmsr', draw.of(KEPT_MSRS))],
    () => [step('rdmsr', draw.of(OTHER_MSRS)), wrmsr(draw.of(OTHER_MSRS), value)],
    () => [wrmsr(draw.of([0x12, 0x4b564d01]), page | draw.below(2)), wrmsr(draw.of([0x11, 0x4b564d00]), page)],
    () => [wrmsr(0x4b564d03, page | draw.of([0, 1, 1, 3])), step('rdmsr', 0x4b564d03)],
    () => [wrmsr(0x4b564d04, page | draw.of([0, 1, 1])), step('rdmsr', 0x4b564d04)],
    () => [wrmsr(draw.of([0x4b564d02, 0x4b564d05, 0x4b564d06, 0x4b564d07]), draw.of([0, 1, page]))],
    () => [wrmsr(0x10, BigInt(draw.word()) << 8n), step('rdmsr', 0x10), wrmsr(0x3b, BigInt(draw.word()))],
    () => [wrmsr(draw.of([0x200, 0x201, 0x250, 0x258, 0x268, 0x26f, 0x2ff]), value)],
    () => [wrmsr(0x400 + draw.below(40), value), step('rdmsr', 0x400 + draw.below(40))],
    () => [step('rdmsr', draw.of([0x10, 0x1b, 0xc0000080, 0x277, 0xc0000102]))],
  ])();
};

/** Instructions that exit for themselves. */
export const instruction: Recipe = (draw) =>
  draw.of<() => readonly Step[]>([
    () => [step('cpuid', draw.of([0, 1, 7, 0xd, 0x40000000, 0x80000008, 0x40000001, draw.below(32)]), draw.below(3))],
    () => [step('vmcall', draw.of([1, 5, 9, 10, 11, 12, draw.below(16)]), draw.below(4))],
    () => [step('writeCr4', 0, draw.of([0x620, 0x6a0, 0x40620, 0x630])), step('xsetbv', 0, draw.of([1, 3, 7, 5]))],
    () => [step('writeCr8', 0, draw.below(16)), step('readCr8')],
    () => [step('writeDr0', 0, draw.word()), step('writeDr7', 0, 0x400)],
    () => [step(draw.of(['wbinvd', 'pause', 'rdrand', 'undefined', 'softInterrupt'] as const))],
  ])();

/** Interrupts on for a while. */
export const spin: Recipe = (draw) => [
  step('spin', 0, 1 + draw.of([draw.below(60), draw.below(600), draw.below(9000)])),
];

/** HLT with a timer that ends it whatever else is set. */
export const halt =
  (cpu: number): Recipe =>
  (draw) => [
    ...xapic(cpu),
    step('writeCr8', 0, 0),
    store(LAPIC + 0x3e0, 0xb),
    store(LAPIC + 0x320, 0x41),
    store(LAPIC + 0x380, 100 + draw.below(20_000)),
    step('halt'),
  ];

/** The other processors are started, or begin anew. */
export const startOthers: Recipe = () => [
  ...xapic(0),
  store(LAPIC + 0x300, 0xc4500),
  store(LAPIC + 0x300, 0xc4608),
  store(LAPIC + 0x300, 0xc4608),
];
