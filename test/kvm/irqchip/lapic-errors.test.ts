import { describe, expect, test } from 'vitest';
import { KVM_GET_LAPIC, KVM_SET_LAPIC } from '../../../src/kvm/ioctl/ioctls.ts';
import { lapicMmioRead, sendMsi } from '../../../src/kvm/irqchip/index.ts';
import { held, pending, readApic, type Rig, rdmsr, rig, setBase, take, writeApic, wrmsr } from './fixture.ts';

const ESR = 0x280;
const ICR = 0x300;
const ICR2 = 0x310;
const LVT_TIMER = 0x320;
const LVT_ERROR = 0x370;
const SEND = 0x20;
const RECEIVE = 0x40;
const REGISTER = 0x80;
const SELF = 0x40000;
const MASKED = 0x10000;

/** What has been logged: ESR is written, and then read. */
function errors(r: Rig, vcpu = 0): number {
  writeApic(r, vcpu, ESR, 0);
  return readApic(r, vcpu, ESR);
}

describe('the error status register', () => {
  test('shows what was logged up to the last write of it', () => {
    const r = rig();
    readApic(r, 0, 0x40);
    expect(readApic(r, 0, ESR)).toBe(0);
    writeApic(r, 0, ESR, 0xff);
    expect([readApic(r, 0, ESR), readApic(r, 0, ESR)]).toEqual([REGISTER, REGISTER]);
    writeApic(r, 0, ICR, SELF | 1);
    expect(readApic(r, 0, ESR)).toBe(REGISTER);
    expect(errors(r)).toBe(SEND | RECEIVE);
    expect(errors(r)).toBe(0);
  });

  test('its interrupt comes with the first error after a write, unless it is masked', () => {
    const r = rig();
    writeApic(r, 0, LVT_ERROR, 0x55);
    readApic(r, 0, 0x40);
    expect(take(r)).toBe(0x55);
    writeApic(r, 0, 0xb0, 0);
    readApic(r, 0, 0x40);
    expect(pending(r)).toBe(-1);
    expect(errors(r)).toBe(REGISTER);
    readApic(r, 0, 0x40);
    expect(take(r)).toBe(0x55);
    writeApic(r, 0, 0xb0, 0);
    writeApic(r, 0, LVT_ERROR, MASKED | 0x55);
    expect(errors(r)).toBe(REGISTER);
    readApic(r, 0, 0x40);
    expect([pending(r), errors(r)]).toEqual([-1, REGISTER]);
  });

  test('an illegal vector in its own entry is one more error, and no interrupt', () => {
    const r = rig();
    writeApic(r, 0, LVT_ERROR, 0x05);
    readApic(r, 0, 0x40);
    expect([pending(r), errors(r)]).toEqual([-1, REGISTER | RECEIVE]);
  });

  test('goes through KVM_GET_LAPIC and KVM_SET_LAPIC', () => {
    const r = rig();
    readApic(r, 0, 0x40);
    writeApic(r, 0, ESR, 0);
    const state = { regs: new Uint8Array(0x400) };
    r.kvm.ioctl(r.vcpus[0]!, KVM_GET_LAPIC, state);
    expect(state.regs[ESR]).toBe(REGISTER);
    const other = rig();
    other.kvm.ioctl(other.vcpus[0]!, KVM_SET_LAPIC, state);
    expect([readApic(other, 0, ESR), errors(other)]).toEqual([REGISTER, 0]);
  });
});

describe('a reserved register', () => {
  const registers = [
    ...[0x20, 0x30, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0],
    ...Array.from({ length: 0x18 }, (_, i) => 0x100 + 16 * i),
    ...[0x280, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x390, 0x3e0],
  ];
  const all = Array.from({ length: 0x100 }, (_, i) => 16 * i);

  test('is any but the ones of the manual: each read logs an error', () => {
    const r = rig();
    const logging = all.filter((offset) => {
      lapicMmioRead(r.on(0), 0, offset, 4);
      return errors(r) !== 0;
    });
    expect(logging).toEqual(all.filter((offset) => !registers.includes(offset)));
  });

  test('so does each write; one to a read-only register does not', () => {
    const reserved = all.filter((offset) => !registers.includes(offset));
    for (const offset of [...reserved, 0x30, 0x90, 0xa0, 0xc0, 0x100, 0x180, 0x200, 0x390]) {
      const r = rig();
      writeApic(r, 0, offset, 0);
      expect([offset, errors(r)]).toEqual([offset, reserved.includes(offset) ? REGISTER : 0]);
    }
  });

  test('bytes beside the first four of a register are no error', () => {
    const r = rig();
    for (const [offset, size] of [
      [0x84, 4],
      [0x30, 8],
      [0x3e, 4],
    ] as const)
      lapicMmioRead(r.on(0), 0, offset, size);
    expect(errors(r)).toBe(0);
  });

  test('in x2APIC mode it is #GP, and no error', () => {
    const r = rig();
    setBase(r, 0xfee00d00n);
    expect(rdmsr(r, 0, 0x804)).toBeUndefined();
    expect(wrmsr(r, 0, 0x804, 0n)).toBe(false);
    wrmsr(r, 0, 0x828, 0n);
    expect(rdmsr(r, 0, 0x828)).toBe(0n);
  });
});

describe('an illegal vector', () => {
  test.each([0, 1, 8, 15])('%i in an IPI: the sender and the receiver log it, nobody is interrupted', (vector) => {
    for (const mode of [0, 0x100]) {
      const r = rig(2);
      writeApic(r, 0, ICR2, 1 << 24);
      writeApic(r, 0, ICR, mode | vector);
      expect([errors(r, 0), errors(r, 1), pending(r, 1)]).toEqual([SEND, RECEIVE, -1]);
      expect(r.chip.lapics[1]!.irr[0]).toBe(0);
    }
  });

  test('16 is legal', () => {
    const r = rig();
    writeApic(r, 0, ICR, SELF | 16);
    expect([errors(r), pending(r)]).toEqual([0, 16]);
  });

  test('to oneself, also by the self-IPI register', () => {
    const r = rig();
    writeApic(r, 0, ICR, SELF | 7);
    expect(errors(r)).toBe(SEND | RECEIVE);
    setBase(r, 0xfee00d00n);
    wrmsr(r, 0, 0x83f, 7n);
    expect(wrmsr(r, 0, 0x828, 0n)).toBe(true);
    expect([rdmsr(r, 0, 0x828), pending(r)]).toEqual([BigInt(SEND | RECEIVE), -1]);
    wrmsr(r, 0, 0x830, BigInt(SELF | 7));
    wrmsr(r, 0, 0x828, 0n);
    expect(rdmsr(r, 0, 0x828)).toBe(BigInt(SEND | RECEIVE));
  });

  test('in a device’s message and in a local entry', () => {
    const r = rig();
    sendMsi(r.on(0), 0xfee00000, 3);
    expect([errors(r), pending(r)]).toEqual([RECEIVE, -1]);
    writeApic(r, 0, LVT_TIMER, 0x20000 | 4);
    expect(errors(r)).toBe(0);
  });

  test('modes that take no vector, or another thing for one, are not looked at', () => {
    // NMI, INIT, start-up.
    for (const [mode, reached] of [
      [0x400, 'nmi 1'],
      [0x500, 'init 1'],
      [0x600, 'sipi 1 5'],
    ] as const) {
      const r = rig(2);
      writeApic(r, 0, ICR2, 1 << 24);
      writeApic(r, 0, ICR, mode | 0x4000 | 5);
      expect([errors(r, 0), errors(r, 1), held(r)]).toEqual([0, 0, [reached]]);
    }
  });
});

describe('a reserved delivery mode', () => {
  test.each([0x300, 0x700])('%#x in an IPI is the sender’s error, and the message goes nowhere', (mode) => {
    const r = rig(2);
    writeApic(r, 0, ICR2, 1 << 24);
    writeApic(r, 0, ICR, mode | 0x40);
    expect([errors(r, 0), errors(r, 1), held(r), pending(r, 1)]).toEqual([SEND, 0, [], -1]);
  });
});
