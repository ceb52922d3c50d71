import { describe, expect, test } from 'vitest';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { getPit2, irqchipPortRead, irqchipPortWrite } from '../../../src/kvm/irqchip/index.ts';
import { pass, printed, reaching, type Rig, rig, take, writeApic } from './fixture.ts';

const SPEAKER_DUMMY = 1;
const NEVER = Number.POSITIVE_INFINITY;

function pitRig(flags = SPEAKER_DUMMY): Rig {
  const r = rig();
  expect(r.kvm.ioctl(r.vm, io.KVM_CREATE_PIT2, { flags })).toBe(0);
  return r;
}

const out = (r: Rig, port: number, ...values: number[]): void => {
  for (const value of values) irqchipPortWrite(r.on(0), port, 1, value);
};
const inb = (r: Rig, port: number): number | undefined => irqchipPortRead(r.on(0), port, 1);
const word = (r: Rig, port: number): number => inb(r, port)! | (inb(r, port)! << 8);

/** Nanoseconds of `clocks` PIT clocks, rounded up. */
const nsOf = (clocks: number): number => Math.ceil((clocks * 1e9) / 1193182);

/** How many times IRQ 0 rose since last asked. */
const ticks = (r: Rig): number => printed(r).filter((line) => line === 'kvm_set_irq: gsi 0 level 1 source 2').length;

describe('counters', () => {
  test('mode 2 counts down from its count and starts over', () => {
    const r = pitRig();
    out(r, 0x43, 0xb4);
    out(r, 0x42, 0x00, 0x10);
    expect(word(r, 0x42)).toBe(0x1000);
    pass(r, nsOf(0x10));
    expect(word(r, 0x42)).toBe(0xff0);
    pass(r, nsOf(0x1000));
    expect(word(r, 0x42)).toBe(0xff0);
  });

  test('mode 3 counts by two', () => {
    const r = pitRig();
    out(r, 0x43, 0xb6);
    out(r, 0x42, 0x00, 0x10);
    pass(r, nsOf(0x10));
    expect(word(r, 0x42)).toBe(0xfe0);
  });

  test('mode 0 goes on below zero', () => {
    const r = pitRig();
    out(r, 0x43, 0xb0);
    out(r, 0x42, 0x10, 0x00);
    pass(r, nsOf(0x12));
    expect(word(r, 0x42)).toBe(0xfffe);
  });

  test('counts exactly over days', () => {
    const r = pitRig();
    out(r, 0x43, 0xb0);
    out(r, 0x42, 0, 0);
    const ns = 30 * 86400 * 1_000_000_000 + 123_456_789;
    pass(r, ns);
    expect(word(r, 0x42)).toBe(Number((0x10000n - (BigInt(ns) * 1193182n) / 1_000_000_000n) & 0xffffn));
  });

  test('a latched count stands still until it is read, a second latch does not replace it', () => {
    const r = pitRig();
    out(r, 0x43, 0xb4);
    out(r, 0x42, 0x00, 0x10);
    pass(r, nsOf(0x10));
    out(r, 0x43, 0x80);
    pass(r, nsOf(0x10));
    out(r, 0x43, 0x80);
    expect(word(r, 0x42)).toBe(0xff0);
    expect(word(r, 0x42)).toBe(0xfe0);
  });

  test('read-back latches status before count', () => {
    const r = pitRig();
    out(r, 0x43, 0xb4);
    out(r, 0x42, 0x00, 0x10);
    pass(r, nsOf(1));
    out(r, 0x43, 0xc8);
    expect(inb(r, 0x42)).toBe(0x34);
    expect(word(r, 0x42)).toBe(0xfff);
  });

  test('LSB-only and MSB-only access', () => {
    const r = pitRig();
    out(r, 0x43, 0x94);
    out(r, 0x42, 0x80);
    expect([inb(r, 0x42), inb(r, 0x42)]).toEqual([0x80, 0x80]);
    out(r, 0x43, 0xa4);
    out(r, 0x42, 0x12);
    expect(getPit2(r.chip.pit!).channels[2]!.count).toBe(0x1200);
    expect(inb(r, 0x42)).toBe(0x12);
  });
});

describe('port 61h', () => {
  test('bit 5 rises when a mode 0 count ends, as TSC calibration polls for', () => {
    const r = pitRig();
    out(r, 0x61, 1);
    out(r, 0x43, 0xb0);
    out(r, 0x42, 0x9b, 0x2e);
    pass(r, nsOf(0x2e9b) - 1);
    expect(inb(r, 0x61)! & 0x23).toBe(0x01);
    pass(r, 1);
    expect(inb(r, 0x61)! & 0x23).toBe(0x21);
  });

  test('a rising gate restarts modes 1, 2, 3 and 5', () => {
    const r = pitRig();
    out(r, 0x43, 0xb4);
    out(r, 0x42, 0x00, 0x10);
    pass(r, nsOf(0x100));
    out(r, 0x61, 3);
    expect(word(r, 0x42)).toBe(0x1000);
    expect(inb(r, 0x61)! & 3).toBe(3);
  });

  test('the refresh bit toggles every 2^14 ns', () => {
    const r = pitRig();
    r.passTo(16384 * 100);
    const before = inb(r, 0x61)! & 0x10;
    pass(r, 16384);
    expect(inb(r, 0x61)! & 0x10).toBe(before ^ 0x10);
  });

  test('belongs to user space without KVM_PIT_SPEAKER_DUMMY', () => {
    const r = pitRig(0);
    expect(inb(r, 0x61)).toBeUndefined();
    expect(irqchipPortWrite(r.on(0), 0x61, 1, 0)).toBe(false);
  });
});

describe('IRQ 0', () => {
  const periodic = (r: Rig): void => {
    out(r, 0x43, 0x34);
    out(r, 0x40, 0x9c, 0x2e);
  };
  const PERIOD = Math.floor((0x2e9c * 1e9) / 1193182);

  test('a new PIT has no timer running', () => {
    expect(pitRig().machine.nextDeadline()).toBe(NEVER);
  });

  test('mode 2 pulses once a period as long as the guest acknowledges', () => {
    const r = pitRig();
    periodic(r);
    for (let i = 0; i < 5; i++) {
      pass(r, PERIOD);
      expect(ticks(r)).toBe(1);
      expect(take(r)).toBe(0);
      out(r, 0x20, 0x20);
    }
  });

  test('mode 0 pulses once', () => {
    const r = pitRig();
    out(r, 0x43, 0x30);
    out(r, 0x40, 0x00, 0x10);
    pass(r, nsOf(0x1000));
    expect(ticks(r)).toBe(1);
    pass(r, 1e9);
    expect(ticks(r)).toBe(0);
  });

  test('ticks the guest missed are made up for, one at each EOI', () => {
    const r = pitRig();
    periodic(r);
    pass(r, 3 * PERIOD);
    expect(ticks(r)).toBe(1);
    for (const expected of [1, 1, 0]) {
      take(r);
      out(r, 0x20, 0x20);
      pass(r, 0);
      expect(ticks(r)).toBe(expected);
    }
  });

  test('without reinjection missed ticks are lost', () => {
    const r = pitRig();
    r.kvm.ioctl(r.vm, io.KVM_REINJECT_CONTROL, { pitReinject: false });
    periodic(r);
    pass(r, 3 * PERIOD);
    expect(ticks(r)).toBe(1);
    take(r);
    out(r, 0x20, 0x20);
    pass(r, 0);
    expect(ticks(r)).toBe(0);
  });

  test('unmasking IRQ 0 forgets the ticks missed behind the mask', () => {
    const r = pitRig();
    out(r, 0x21, 0x01);
    periodic(r);
    pass(r, 5 * PERIOD);
    expect(r.chip.pit!.pending).toBe(5);
    out(r, 0x21, 0x00);
    expect(r.chip.pit!.pending).toBe(0);
  });

  test('an LVT0 in NMI mode makes each tick an NMI', () => {
    const r = pitRig();
    writeApic(r, 0, 0x350, 0x400);
    periodic(r);
    pass(r, PERIOD);
    expect(reaching(r)).toEqual(['nmi 0']);
  });

  test('channel 0 reads the time left to its next tick', () => {
    const r = pitRig();
    periodic(r);
    pass(r, PERIOD + nsOf(0x10));
    expect(word(r, 0x40)).toBe(0x2e9c - 0x10);
  });
});

describe('KVM_GET_PIT2 and KVM_SET_PIT2', () => {
  test('a PIT set from another ticks at the same pace', () => {
    const a = pitRig();
    out(a, 0x43, 0x34);
    out(a, 0x40, 0x9c, 0x2e);
    const b = pitRig();
    b.kvm.ioctl(b.vm, io.KVM_SET_PIT2, getPit2(a.chip.pit!));
    expect(b.machine.nextDeadline()).toBe(a.machine.nextDeadline());
    expect(b.machine.nextDeadline()).toBeLessThan(NEVER);
  });

  test('an HPET in legacy mode takes IRQ 0 over', () => {
    const r = pitRig();
    out(r, 0x43, 0x34);
    out(r, 0x40, 0x9c, 0x2e);
    r.kvm.ioctl(r.vm, io.KVM_SET_PIT2, { ...getPit2(r.chip.pit!), flags: 1 });
    expect(r.machine.nextDeadline()).toBe(NEVER);
  });
});

describe('ports', () => {
  test('the PIC takes bytes only: a wider read is zero', () => {
    const r = pitRig();
    out(r, 0x21, 0xff);
    expect(irqchipPortRead(r.on(0), 0x20, 2)).toBe(0);
    expect(irqchipPortRead(r.on(0), 0x21, 2)).toBeUndefined();
  });

  test('other ports are left to user space', () => {
    const r = pitRig();
    for (const port of [0x1f, 0x22, 0x3f, 0x44, 0x60, 0x62, 0xa2, 0x4cf, 0x4d2]) expect(inb(r, port)).toBeUndefined();
  });
});
