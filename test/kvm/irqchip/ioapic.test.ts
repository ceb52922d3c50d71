import { describe, expect, test } from 'vitest';
import { KVM_IRQFD } from '../../../src/kvm/ioctl/ioctls.ts';
import {
  getIoapic,
  ioapicRead,
  ioapicWrite,
  irqchipPortWrite,
  setIoapic,
  setIrqLine,
} from '../../../src/kvm/irqchip/index.ts';
import { VCPUS_MAX } from '../../../src/x86/guest.ts';
import type { Rig } from './fixture.ts';
import { pass, pending, printed, reaching, readApic, rig as bareRig, serveAll, take, writeApic } from './fixture.ts';

/** With the PIC masked, as every kernel that uses the IOAPIC leaves it. */
function rig(vcpus = 1): Rig {
  const r = bareRig(vcpus);
  for (const port of [0x21, 0xa1]) irqchipPortWrite(r.on(0), port, 1, 0xff);
  return r;
}

const LEVEL = 0x8000;
const MASKED = 0x10000;

function writeRegister(r: Rig, register: number, value: number): void {
  ioapicWrite(r.on(0), 0x00, register);
  ioapicWrite(r.on(0), 0x10, value);
}

function readRegister(r: Rig, register: number): number {
  ioapicWrite(r.on(0), 0x00, register);
  return ioapicRead(r.chip.ioapic, 0x10);
}

function redirect(r: Rig, pin: number, low: number, destination = 0): void {
  writeRegister(r, 0x10 + pin * 2, low);
  writeRegister(r, 0x11 + pin * 2, (destination << 24) >>> 0);
}

const line = (r: Rig, gsi: number, level: boolean): number => setIrqLine(r.context, gsi, 0, level);
const remoteIrr = (r: Rig, pin: number): number => (readRegister(r, 0x10 + pin * 2) >> 14) & 1;
const endOfInterrupt = (r: Rig, vcpu = 0): void => writeApic(r, vcpu, 0xb0, 0);

function pulse(r: Rig, gsi: number): void {
  line(r, gsi, true);
  line(r, gsi, false);
}

describe('IOAPIC registers, as kvm-unit-tests ioapic expects them', () => {
  test('the version is 11h with 24 pins and cannot be written', () => {
    const r = rig();
    writeRegister(r, 1, 0xffffffff);
    expect(readRegister(r, 1)).toBe(0x170011);
  });

  test('of the id only bits 27:24 can be written, and the arbitration id follows it', () => {
    const r = rig();
    writeRegister(r, 0, 0xffffffff);
    expect(readRegister(r, 0)).toBe(0x0f000000);
    writeRegister(r, 2, 0);
    expect(readRegister(r, 2)).toBe(0x0f000000);
  });

  test('remote IRR and delivery status are read-only', () => {
    const r = rig();
    redirect(r, 14, LEVEL | 0x5000 | 0x77);
    expect(readRegister(r, 0x10 + 28)).toBe(LEVEL | 0x77);
  });

  test('a register nobody has reads as ones', () => {
    expect(readRegister(rig(), 0x40)).toBe(0xffffffff);
  });
});

describe('IOAPIC interrupts, as kvm-unit-tests ioapic expects them', () => {
  test('an edge is served once', () => {
    const r = rig();
    redirect(r, 14, 0x76);
    pulse(r, 14);
    expect(serveAll(r)).toEqual([0x76]);
  });

  test('of two edges the higher class is served first', () => {
    const r = rig();
    redirect(r, 14, 0x78);
    redirect(r, 15, 0x66);
    pulse(r, 15);
    pulse(r, 14);
    expect(serveAll(r)).toEqual([0x78, 0x66]);
  });

  test('a level that falls and rises while in service is served once', () => {
    const r = rig();
    redirect(r, 14, LEVEL | 0x98);
    line(r, 14, true);
    expect(take(r)).toBe(0x98);
    line(r, 14, false);
    line(r, 14, true);
    line(r, 14, false);
    endOfInterrupt(r);
    expect(serveAll(r)).toEqual([]);
  });

  test('a level still high at its EOI is served again', () => {
    const r = rig();
    redirect(r, 14, LEVEL | 0x9a);
    line(r, 14, true);
    expect(take(r)).toBe(0x9a);
    endOfInterrupt(r);
    expect(take(r)).toBe(0x9a);
    line(r, 14, false);
    endOfInterrupt(r);
    expect(remoteIrr(r, 14)).toBe(0);
    expect(take(r)).toBe(-1);
  });

  test('an edge while masked is lost, a level while masked is not', () => {
    const r = rig();
    redirect(r, 14, MASKED | 0x81);
    pulse(r, 14);
    redirect(r, 14, 0x81);
    expect(take(r)).toBe(-1);
    redirect(r, 14, MASKED | LEVEL | 0x82);
    line(r, 14, true);
    expect(take(r)).toBe(-1);
    redirect(r, 14, LEVEL | 0x82);
    expect(take(r)).toBe(0x82);
  });

  test('masking a level in its handler keeps it back until it is unmasked', () => {
    const r = rig();
    redirect(r, 14, LEVEL | 0x83);
    line(r, 14, true);
    take(r);
    redirect(r, 14, MASKED | LEVEL | 0x83);
    endOfInterrupt(r);
    expect(take(r)).toBe(-1);
    redirect(r, 14, LEVEL | 0x83);
    expect(take(r)).toBe(0x83);
  });

  test.each([
    ['edge', 0, 0],
    ['level', LEVEL, 1],
  ])('the TMR bit of an accepted vector says %s', (_, trigger, bit) => {
    const r = rig();
    redirect(r, 14, trigger | 0x79);
    line(r, 14, true);
    expect((readApic(r, 0, 0x1b0) >> 0x19) & 1).toBe(bit);
  });

  test('moving a level entry to another vCPU does not lose the EOI of the one still handling it', () => {
    const r = rig(2);
    redirect(r, 13, LEVEL | 0x64);
    redirect(r, 14, LEVEL | 0x84);
    line(r, 13, true);
    expect(take(r)).toBe(0x64);
    line(r, 14, true);
    for (const pin of [14, 13]) {
      line(r, pin, false);
      expect(remoteIrr(r, pin)).toBe(1);
      writeRegister(r, 0x11 + pin * 2, 0x01000000);
    }
    expect(pending(r)).toBe(0x84);
    expect(take(r)).toBe(0x84);
    endOfInterrupt(r);
    endOfInterrupt(r);
    expect([remoteIrr(r, 13), remoteIrr(r, 14)]).toEqual([0, 0]);
  });

  test('logical destinations reach each vCPU whose LDR has a bit in common', () => {
    const r = rig(4);
    for (let vcpu = 0; vcpu < 4; vcpu++) writeApic(r, vcpu, 0xd0, (1 << (24 + vcpu)) >>> 0);
    redirect(r, 14, LEVEL | 0x800 | 0x86, 0xd);
    line(r, 14, true);
    expect([0, 1, 2, 3].map((vcpu) => pending(r, vcpu))).toEqual([0x86, -1, 0x86, 0x86]);
  });

  test('lowest priority picks one vCPU by vector', () => {
    const r = rig(4);
    for (let vcpu = 0; vcpu < 4; vcpu++) writeApic(r, vcpu, 0xd0, (1 << (24 + vcpu)) >>> 0);
    for (const vector of [0x41, 0x42, 0x43]) {
      redirect(r, 14, 0x900 | vector, 0xf);
      pulse(r, 14);
    }
    expect([0, 1, 2, 3].map((vcpu) => pending(r, vcpu))).toEqual([-1, 0x41, 0x42, 0x43]);
  });

  test('switching to edge and back ends a stuck level interrupt', () => {
    const r = rig();
    redirect(r, 14, LEVEL | 0x50);
    line(r, 14, true);
    expect(remoteIrr(r, 14)).toBe(1);
    writeRegister(r, 0x10 + 28, MASKED | 0x50);
    writeRegister(r, 0x10 + 28, MASKED | LEVEL | 0x50);
    expect(remoteIrr(r, 14)).toBe(0);
  });

  test('NMI delivery reaches the vCPU as an NMI', () => {
    const r = rig();
    redirect(r, 14, 0x400);
    pulse(r, 14);
    expect(reaching(r)).toEqual(['nmi 0']);
  });
});

describe('what user space learns', () => {
  test('an edge on a pin already high is coalesced', () => {
    const r = rig();
    redirect(r, 20, 0x55);
    expect(line(r, 20, true)).toBe(1);
    expect(line(r, 20, true)).toBe(0);
    expect(printed(r).at(-1)).toBe('kvm_ioapic_set_irq: pin 20 dst 0 vec 85 (Fixed|physical|edge) (coalesced)');
  });

  test('an RTC interrupt not yet EOIed coalesces the next, for KVM_IRQ_LINE_STATUS only', () => {
    const r = rig();
    redirect(r, 8, 0x38);
    const rtc = (level: boolean): number => setIrqLine(r.context, 8, 0, level, true);
    expect(rtc(true)).toBe(1);
    rtc(false);
    expect(rtc(true)).toBe(0);
    rtc(false);
    take(r);
    endOfInterrupt(r);
    expect(rtc(true)).toBe(1);
  });

  test('an RTC interrupt that all vCPUs took waits for the EOI of each', () => {
    const r = rig(VCPUS_MAX);
    redirect(r, 8, 0x38, 0xff);
    const rtc = (level: boolean): number => setIrqLine(r.context, 8, 0, level, true);
    expect(rtc(true)).toBe(VCPUS_MAX);
    rtc(false);
    for (let vcpu = VCPUS_MAX - 1; vcpu >= 0; vcpu--) {
      expect(rtc(true)).toBe(0);
      rtc(false);
      expect(take(r, vcpu)).toBe(0x38);
      writeApic(r, vcpu, 0xb0, 0);
    }
    expect(rtc(true)).toBe(VCPUS_MAX);
  });

  test('a masked pin ignores its line', () => {
    const r = rig();
    redirect(r, 20, MASKED | 0x55);
    expect(line(r, 20, true)).toBe(-1);
  });

  test('a resampling eventfd hears the EOI of its GSI, and is asked again on unmasking', () => {
    const r = rig();
    const [fd, resamplefd] = [r.kvm.eventfd(), r.kvm.eventfd()];
    const heard = (): number => r.kvm.consume(resamplefd);
    expect(r.kvm.ioctl(r.vm, KVM_IRQFD, { fd, gsi: 20, flags: 2, resamplefd })).toBe(0);
    redirect(r, 20, LEVEL | 0x55);
    line(r, 20, true);
    take(r);
    expect(heard()).toBe(0);
    endOfInterrupt(r);
    expect(heard()).toBe(1);
    redirect(r, 20, MASKED | LEVEL | 0x55);
    serveAll(r);
    heard();
    redirect(r, 20, LEVEL | 0x55);
    expect(heard()).toBe(1);
  });

  test('an edge EOI is acknowledged only where somebody listens', () => {
    const r = rig();
    redirect(r, 4, 0x34);
    pulse(r, 4);
    take(r);
    printed(r);
    endOfInterrupt(r);
    expect(printed(r)).toEqual(['kvm_apic: apic_write APIC_EOI = 0x0', 'kvm_eoi: apicid 0 vector 52']);
  });

  test('a storming level interrupt is put off 10 ms after 10000 EOIs', () => {
    const r = rig();
    redirect(r, 20, LEVEL | 0x55);
    line(r, 20, true);
    let served = 0;
    while (take(r) === 0x55) {
      endOfInterrupt(r);
      served++;
    }
    expect(served).toBe(10000);
    expect(r.machine.nextDeadline()).toBe(r.machine.now() + 10_000_000);
    expect(printed(r).at(-1)).toMatch(/^kvm_ioapic_delayed_eoi_inj: /);
    pass(r, 9_999_999);
    expect(take(r)).toBe(-1);
    pass(r, 1);
    expect(take(r)).toBe(0x55);
  });
});

describe('KVM_GET_IRQCHIP and KVM_SET_IRQCHIP', () => {
  test('a chip set from another reads the same and delivers what is asserted', () => {
    const a = rig();
    redirect(a, 20, MASKED | LEVEL | 0x55);
    line(a, 20, true);
    const blob = getIoapic(a.chip);
    expect(blob.irr).toBe(1 << 20);
    const b = rig();
    blob.redirtbl[20]! &= ~BigInt(MASKED);
    setIoapic(b.context, blob);
    expect(take(b)).toBe(0x55);
  });

  test('an edge that was delivered while its line is still high is not delivered again', () => {
    const a = rig();
    redirect(a, 20, 0x55);
    line(a, 20, true);
    expect(getIoapic(a.chip).irr).toBe(0);
  });
});
