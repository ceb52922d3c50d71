import { describe, expect, it } from 'vitest';
import { I440FX_REDUCER, i440fx, i440fxAtReset, pamSegments } from '../../../src/devices/i440fx/index.ts';
import {
  configAtReset,
  configTarget,
  getConfig,
  type PciFunction,
  type PciFunctionState,
  pirqOf,
  regionBase,
} from '../../../src/devices/pci/index.ts';
import {
  isPirqAsserted,
  PIIX3_REDUCER,
  piix3,
  piix3AtReset,
  routeSlot,
  type SlotLine,
  slotDriven,
} from '../../../src/devices/piix3/index.ts';
import { piix4PmAtReset } from '../../../src/devices/piix4-pm/index.ts';
import { Bench, writeConfig } from '../recorder.ts';

/** Non-zero bytes of configuration space as QEMU 7.2 -M pc -m 64 -serial null shows them after start. */
const QEMU = {
  i440fx: '0:86 1:80 2:37 3:12 8:2 b:6 2c:f4 2d:1a 2f:11 57:8 72:2',
  piix3:
    '0:86 1:80 3:70 7:2 a:1 b:6 e:80 2c:f4 2d:1a 2f:11 4c:4d 4e:3 60:80 61:80 62:80 63:80 69:2 ' +
    '70:80 76:c 77:c 78:2 a0:8 a8:f',
  pm: '0:86 1:80 2:13 3:71 6:80 7:2 8:3 a:80 b:6 2c:f4 2d:1a 2f:11 3d:1 40:1 5f:10 63:60 67:8 90:1 91:b1 d2:9',
};
const shown = (config: readonly number[]) =>
  config
    .map((byte, at) => (byte === 0 ? '' : `${at.toString(16)}:${byte.toString(16)}`))
    .filter((text) => text !== '')
    .join(' ');

describe('configuration space', () => {
  it('reads byte for byte as QEMU 7.2 shows the three bridges', () => {
    expect(shown(i440fxAtReset({ ramBytes: 64 * 2 ** 20 }).config)).toBe(QEMU.i440fx);
    expect(shown(piix3AtReset().config)).toBe(QEMU.piix3);
    expect(shown(piix4PmAtReset({ smm: true, com1: true }).config)).toBe(QEMU.pm);
  });

  it('lets a guest write exactly the bits QEMU does', () => {
    const b = new Bench(i440fx, I440FX_REDUCER, i440fxAtReset({ ramBytes: 64 * 2 ** 20 }));
    for (let at = 0; at < 0x40; at += 4) writeConfig(b, at, 4, 0xffffffff);
    expect(getConfig(b.state.config, 0x00, 4)).toBe(0x12378086);
    expect(getConfig(b.state.config, 0x04, 4)).toBe(0x0507);
    expect(getConfig(b.state.config, 0x0c, 4)).toBe(0xff);
    expect(getConfig(b.state.config, 0x10, 4)).toBe(0);
    expect(getConfig(b.state.config, 0x3c, 4)).toBe(0xff);
  });
});

describe('base address registers', () => {
  const card: PciFunction<PciFunctionState> = {
    model: 'card',
    regions: [
      { name: 'io', space: 'io', length: 64, minAccess: 1, maxAccess: 4 },
      { name: 'memory', space: 'memory', length: 0x20000, minAccess: 1, maxAccess: 4 },
      { name: 'wide', space: 'memory', length: 0x4000, minAccess: 1, maxAccess: 4 },
    ],
    pins: ['intx'],
    bars: [
      { index: 0, region: 1, space: 'memory', size: 0x20000 },
      { index: 1, region: 0, space: 'io', size: 64 },
      { index: 4, region: 2, space: 'memory', size: 0x4000, width: 64, prefetchable: true },
    ],
    read: () => 0,
    describe: () => ({}),
  };
  const bench = () =>
    new Bench(
      card,
      {},
      { config: configAtReset({ vendorId: 0x8086, deviceId: 0x100e, classCode: 0x020000 }, card.bars) },
    );

  it('answer all ones with their size and kind', () => {
    const b = bench();
    const sizes = [0x10, 0x14, 0x18, 0x20, 0x24].map((bar) => {
      writeConfig(b, bar, 4, 0xffffffff);
      return getConfig(b.state.config, bar, 4);
    });
    expect(sizes).toEqual([0xfffe0000, 0xffffffc1, 0, 0xffffc00c, 0xffffffff]);
  });

  it('place their region only while the command register decodes it and never at all ones or zero', () => {
    const b = bench();
    const put = (at: number, value: number) => writeConfig(b, at, 4, value);
    expect(put(0x10, 0xfeb80000)).toBe(true);
    put(0x14, 0xc001);
    put(0x20, 0x4000);
    put(0x24, 0x8);
    expect([0, 1, 2].map((r) => regionBase(card, b.state, r))).toEqual([undefined, undefined, undefined]);
    expect(put(0x04, 3)).toBe(true);
    expect([0, 1, 2].map((r) => regionBase(card, b.state, r))).toEqual([0xc000, 0xfeb80000, 0x8_0000_4000]);
    put(0x10, 0xffffffff);
    put(0x14, 0);
    expect([0, 1].map((r) => regionBase(card, b.state, r))).toEqual([undefined, undefined]);
    expect(put(0x14, 0)).toBe(false);
  });
});

describe('mechanism #1', () => {
  it('splits CONFIG_ADDRESS into bus, slot, function and register', () => {
    expect(configTarget(0x80000b40 | 0x10000, 1)).toEqual({ bus: 1, slot: 1, function: 3, register: 0x41 });
    expect(configTarget(0x00000b40, 0)).toBe(undefined);
  });

  it('takes CONFIG_ADDRESS only as a doubleword, leaving 0xcf9 to the PIIX3', () => {
    const b = new Bench(i440fx, I440FX_REDUCER, i440fxAtReset({ ramBytes: 0 }));
    b.write(0, 0x80000000, 4);
    b.write(0, 0x12, 1);
    expect(b.read(0, 4)).toBe(0x80000000);
  });
});

describe('PAM', () => {
  it('opens segments nibble by nibble as SeaBIOS does before it copies itself', () => {
    const b = new Bench(i440fx, I440FX_REDUCER, i440fxAtReset({ ramBytes: 0 }));
    expect(writeConfig(b, 0x59, 1, 0x30)).toBe(true);
    writeConfig(b, 0x5a, 1, 0x21);
    writeConfig(b, 0x5f, 1, 0x30);
    const open = pamSegments(b.state).filter((s) => s.readsRam || s.writesRam);
    expect(open).toEqual([
      { base: 0xf0000, length: 0x10000, readsRam: true, writesRam: true },
      { base: 0xc0000, length: 0x4000, readsRam: true, writesRam: false },
      { base: 0xc4000, length: 0x4000, readsRam: false, writesRam: true },
      { base: 0xec000, length: 0x4000, readsRam: true, writesRam: true },
    ]);
    expect(writeConfig(b, 0x58, 1, 1)).toBe(false);
  });
});

describe('PIIX3', () => {
  const bench = () => new Bench(piix3, PIIX3_REDUCER, piix3AtReset());
  const route = (b: ReturnType<typeof bench>, pirq: number, irq: number) => writeConfig(b, 0x60 + pirq, 1, irq);
  /** As the machine does when a pin that is wired to INTx moves. */
  const drive = (b: ReturnType<typeof bench>, line: SlotLine) => {
    const pirq = pirqOf(line.slot, line.pin);
    const before = isPirqAsserted(b.state, pirq);
    b.evolve((bridge) => slotDriven(bridge, line));
    routeSlot(b.state, pirq, before, b.effects);
  };

  it('swizzles pins by slot: slot 3 INTA is PIRQC, slot 2 INTA is PIRQB', () => {
    expect([pirqOf(1, 1), pirqOf(2, 1), pirqOf(3, 1), pirqOf(3, 3), pirqOf(5, 1)]).toEqual([0, 1, 2, 0, 0]);
  });

  it('holds a shared line while any slot asserts it', () => {
    const b = bench();
    route(b, 2, 11);
    drive(b, { slot: 3, pin: 1, high: true });
    drive(b, { slot: 7, pin: 1, high: true });
    expect(b.pin('irq11')).toBe(true);
    drive(b, { slot: 3, pin: 1, high: false });
    expect(b.pin('irq11')).toBe(true);
    drive(b, { slot: 7, pin: 1, high: false });
    expect(b.pin('irq11')).toBe(false);
  });

  it('moves an asserted line with its route and drops it when routing is off', () => {
    const b = bench();
    drive(b, { slot: 1, pin: 1, high: true });
    expect([...b.pins]).toEqual([]);
    route(b, 0, 10);
    expect(b.pin('irq10')).toBe(true);
    route(b, 0, 5);
    expect([b.pin('irq10'), b.pin('irq5')]).toEqual([false, true]);
    route(b, 0, 0x80);
    expect(b.pin('irq5')).toBe(false);
  });

  it('resets the machine on bit 2 of 0xcf9 and remembers how hard', () => {
    const b = bench();
    b.write(0, 0x02);
    expect([b.read(0), b.raised]).toEqual([2, []]);
    b.write(0, 0x06);
    expect([b.read(0), b.raised]).toEqual([2, [{ kind: 'sim:reset_asked', by: 'PIIX3' }]]);
  });
});
