import { describe, expect, it } from 'vitest';
import { regionBase } from '../../../src/devices/pci/index.ts';
import { PIIX4_PM_REDUCER, piix4Pm, piix4PmAtReset, WAKE_UP } from '../../../src/devices/piix4-pm/index.ts';
import { Bench, writeConfig } from '../recorder.ts';

const [EVENT, CONTROL, TIMER, GPE, APM] = [0, 1, 2, 3, 4];
const bench = (smm = false) => new Bench(piix4Pm, PIIX4_PM_REDUCER, piix4PmAtReset({ smm, com1: true }));
const PRESSED = { kind: 'sim:power_button_pressed' } as const;

describe('placement', () => {
  it('puts the PM block where SeaBIOS sets PMBASE, once PMREGMISC enables it', () => {
    const b = bench();
    expect(regionBase(piix4Pm, b.state, TIMER)).toBe(undefined);
    expect(writeConfig(b, 0x40, 4, 0x601)).toBe(true);
    expect(writeConfig(b, 0x80, 1, 1)).toBe(true);
    expect([EVENT, CONTROL, TIMER, GPE, APM].map((r) => regionBase(piix4Pm, b.state, r))).toEqual([
      0x600, 0x604, 0x608, 0xafe0, 0xb2,
    ]);
  });
});

describe('PM timer', () => {
  it('counts at 3.579545 MHz in 24 bits and keeps its rate over hours', () => {
    const b = bench();
    b.now = 1e9;
    expect(b.read(0, 4, TIMER)).toBe(3_579_545);
    b.now = 3600e9;
    expect(b.read(0, 4, TIMER)).toBe((3_579_545 * 3600) % 2 ** 24);
  });

  it('raises the SCI when bit 23 toggles, and only while enabled', () => {
    const b = bench();
    b.write(0, 1, 2, EVENT);
    b.write(2, 1, 2, EVENT);
    const due = b.timers.get('overflow') ?? 0;
    expect(due).toBe(Math.ceil((0x800000 * 1e9) / 3_579_545));
    b.pass(due - 1);
    expect(b.pin('sci')).toBe(false);
    b.pass(1);
    expect(b.pin('sci')).toBe(true);
    expect(b.read(0, 2, EVENT) & 1).toBe(1);
    b.write(0, 1, 2, EVENT);
    expect(b.pin('sci')).toBe(false);
    b.write(2, 0, 2, EVENT);
    expect(b.timers.size).toBe(0);
  });
});

describe('TMR_STS', () => {
  it('is put on record when somebody looks, once for each time it is cleared', () => {
    const b = bench();
    const overflow = Math.ceil((0x800000 * 1e9) / 3_579_545);
    expect([b.read(0, 2, EVENT), b.read(0, 2, EVENT)]).toEqual([1, 1]);
    b.write(0, 1, 2, EVENT);
    expect(b.read(0, 2, EVENT)).toBe(0);
    b.pass(overflow);
    expect([b.read(0, 2, EVENT), b.read(0, 2, EVENT)]).toEqual([1, 1]);
    expect(b.raised).toEqual([
      { kind: 'sim:pm_timer_status' },
      { kind: 'sim:pm_overflow', count: 0x800000 },
      { kind: 'sim:pm_timer_status' },
    ]);
  });

  it('is cleared before anybody has seen it', () => {
    const b = bench();
    b.write(0, 1, 2, EVENT);
    b.pass(5e9);
    b.write(0, 1, 2, EVENT);
    expect(b.read(0, 2, EVENT)).toBe(0);
  });
});

describe('reset', () => {
  it('gives up the place of the PM block and what it waits for', () => {
    const b = bench();
    writeConfig(b, 0x40, 4, 0x601);
    writeConfig(b, 0x80, 1, 1);
    b.write(0, 1, 2, EVENT);
    b.write(2, 1, 2, EVENT);
    b.reset();
    expect([regionBase(piix4Pm, b.state, EVENT), b.read(2, 2, EVENT), b.timers.size]).toEqual([undefined, 0, 0]);
  });
});

describe('power states', () => {
  it('switches ACPI mode through the SMI command port', () => {
    const b = bench();
    b.write(0, 0xf1, 1, APM);
    expect(b.read(0, 2, CONTROL)).toBe(1);
    b.write(0, 0xf0, 1, APM);
    expect(b.read(0, 2, CONTROL)).toBe(0);
    expect(b.pins.has('smi')).toBe(false);
  });

  it('powers off on SLP_TYP 0 with SLP_EN and on nothing less', () => {
    const b = bench();
    b.write(0, 0x0001, 2, CONTROL);
    expect(b.raised).toEqual([]);
    b.write(0, 0x2001, 2, CONTROL);
    expect(b.raised).toEqual([{ kind: 'sim:powered_off' }]);
    expect(b.read(0, 2, CONTROL)).toBe(1);
  });

  it('tells of the power button only a guest that listens', () => {
    const b = bench();
    b.receive(PRESSED);
    expect(b.pin('sci')).toBe(false);
    b.write(2, 0x100, 2, EVENT);
    b.receive(PRESSED);
    expect(b.pin('sci')).toBe(true);
    b.write(0, 0x100, 2, EVENT);
    expect(b.pin('sci')).toBe(false);
  });

  it('says SMM is set up already when there is none', () => {
    expect(bench(false).state.config[0x5b]).toBe(2);
    expect(bench(true).state.config[0x5b]).toBe(0);
  });

  it('keeps general-purpose event status write-one-to-clear', () => {
    const b = bench();
    b.evolve((pm) => void (pm.gpe[0] = 0x06));
    b.write(2, 0x02, 1, GPE);
    expect(b.pin('sci')).toBe(true);
    b.write(0, 0x02, 1, GPE);
    expect(b.pin('sci')).toBe(false);
    expect(b.read(0, 1, GPE)).toBe(0x04);
  });
});

describe('sleep', () => {
  it('is asked for by SLP_EN with type 1, which the register does not keep', () => {
    const b = bench();
    b.write(0, 0x2400, 2, CONTROL);
    expect(b.raised).toEqual([{ kind: 'sim:suspend_asked' }]);
    expect(b.read(0, 2, CONTROL)).toBe(0x400);
  });

  it('ends with the PM timer, and tells of what ended it until that is cleared', () => {
    const b = bench();
    b.write(0, 1, 2, EVENT);
    b.write(2, 1, 2, EVENT);
    b.pass(Math.ceil((0x800000 * 1e9) / 3_579_545));
    expect(b.raised).toContainEqual({ kind: 'sim:wakeup_asked', by: 'pm-timer' });
    b.raise({ kind: 'sim:pm_woken', status: WAKE_UP.rtc.status });
    expect(b.read(0, 2, EVENT)).toBe(0x8401);
    b.write(0, 0x8400, 2, EVENT);
    expect(b.read(0, 2, EVENT)).toBe(1);
  });
});
