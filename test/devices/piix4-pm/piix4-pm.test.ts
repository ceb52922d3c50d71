import { describe, expect, it } from 'vitest';
import { regionBase, writeConfig } from '../../../src/devices/pci/index.ts';
import { piix4Pm, piix4PmAtReset, pressPowerButton } from '../../../src/devices/piix4-pm/index.ts';
import { Bench } from '../recorder.ts';

const [EVENT, CONTROL, TIMER, GPE, APM] = [0, 1, 2, 3, 4];
const bench = (smm = false) => new Bench(piix4Pm, piix4PmAtReset({ smm, com1: true }));

describe('placement', () => {
  it('puts the PM block where SeaBIOS sets PMBASE, once PMREGMISC enables it', () => {
    const b = bench();
    expect(regionBase(piix4Pm, b.state, TIMER)).toBe(undefined);
    expect(writeConfig(piix4Pm, b.state, 0x40, 4, 0x601, b.effects)).toBe(true);
    expect(writeConfig(piix4Pm, b.state, 0x80, 1, 1, b.effects)).toBe(true);
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
    const due = b.device.deadline?.(b.state) ?? 0;
    expect(due).toBe(Math.ceil((0x800000 * 1e9) / 3_579_545));
    b.pass(due - 1);
    expect(b.pin('sci')).toBe(false);
    b.pass(1);
    expect(b.pin('sci')).toBe(true);
    expect(b.read(0, 2, EVENT) & 1).toBe(1);
    b.write(0, 1, 2, EVENT);
    expect(b.pin('sci')).toBe(false);
    b.write(2, 0, 2, EVENT);
    expect(b.device.deadline?.(b.state)).toBe(undefined);
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
    expect(b.asked).toEqual([]);
    b.write(0, 0x2001, 2, CONTROL);
    expect(b.asked).toEqual([{ ask: 'power-off' }]);
    expect(b.read(0, 2, CONTROL)).toBe(1);
  });

  it('tells of the power button only a guest that listens', () => {
    const b = bench();
    pressPowerButton(b.state, b.effects);
    expect(b.pin('sci')).toBe(false);
    b.write(2, 0x100, 2, EVENT);
    pressPowerButton(b.state, b.effects);
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
    b.state.gpe[0] = 0x06;
    b.write(2, 0x02, 1, GPE);
    expect(b.pin('sci')).toBe(true);
    b.write(0, 0x02, 1, GPE);
    expect(b.pin('sci')).toBe(false);
    expect(b.read(0, 1, GPE)).toBe(0x04);
  });
});
