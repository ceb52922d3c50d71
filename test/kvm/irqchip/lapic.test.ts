import { describe, expect, test } from 'vitest';
import {
  lapicMmioRead,
  lapicMmioWrite,
  pulseLint1,
  pvEoiCandidate,
  sendMsi,
  taskPriority,
  tprThreshold,
  writeTaskPriority,
} from '../../../src/kvm/irqchip/index.ts';
import {
  forget,
  held,
  isKicked,
  pending,
  printed,
  rdmsr,
  reaching,
  readApic,
  type Rig,
  rig,
  sendIpi,
  serveAll,
  setBase,
  take,
  writeApic,
  wrmsr,
  x2apic,
} from './fixture.ts';

const classOf = (r: Rig): number => taskPriority(r.chip.lapics[0]!);
const setClass = (r: Rig, cr8: number): void => writeTaskPriority(r.on(0), 0, cr8);

describe('the register page', () => {
  test('reads as ones and ignores writes when the APIC is disabled or in x2APIC mode', () => {
    for (const bits of [0n, 0xc00n]) {
      const r = rig();
      setBase(r, 0xfee00100n | bits);
      lapicMmioWrite(r.on(0), 0, 0x80, 4, 0xff);
      expect(lapicMmioRead(r.on(0), 0, 0x30, 4)).toBe(-1);
      expect(classOf(r)).toBe(0);
    }
  });

  test('shows version 14h with six LVT entries', () => {
    expect(readApic(rig(), 0, 0x30)).toBe(0x50014);
  });

  test('takes only aligned 32-bit writes, reads any bytes of a register', () => {
    const r = rig();
    lapicMmioWrite(r.on(0), 0, 0x80, 1, 0x20);
    lapicMmioWrite(r.on(0), 0, 0x84, 4, 0x20);
    expect(readApic(r, 0, 0x80)).toBe(0);
    expect(lapicMmioRead(r.on(0), 0, 0x32, 2)).toBe(5);
    expect(lapicMmioRead(r.on(0), 0, 0x30, 8)).toBe(0);
  });

  test('keeps the reserved bits of its registers clear', () => {
    const r = rig();
    const cases: [number, number][] = [
      [0xd0, 0xff000000],
      [0xe0, 0xffffffff],
      [0xf0, 0x3ff],
      [0x310, 0xff000000],
      [0x320, 0x710ff],
      [0x330, 0x117ff],
      [0x340, 0x117ff],
      [0x350, 0x1f7ff],
      [0x360, 0x1f7ff],
      [0x370, 0x110ff],
      [0x3e0, 0xb],
    ];
    for (const [offset, kept] of cases) {
      writeApic(r, 0, offset, 0xffffffff);
      expect([offset, readApic(r, 0, offset)]).toEqual([offset, kept]);
    }
  });

  test('software-disabling masks every LVT entry, and they cannot be unmasked', () => {
    const r = rig();
    writeApic(r, 0, 0x350, 0x700);
    writeApic(r, 0, 0xf0, 0xff);
    expect(readApic(r, 0, 0x350)).toBe(0x10700);
    writeApic(r, 0, 0x350, 0x700);
    expect(readApic(r, 0, 0x350)).toBe(0x10700);
  });

  test('says what it did the way the kernel prints it', () => {
    const r = rig(2);
    readApic(r, 0, 0x30);
    sendIpi(r, 0, 0x4031, 1);
    expect(printed(r)).toEqual([
      'kvm_apic: apic_read APIC_LVR = 0x50014',
      'kvm_apic: apic_write APIC_ICR2 = 0x1000000',
      'kvm_apic: apic_write APIC_ICR = 0x4031',
      'kvm_apic_ipi: dst 1 vec 49 (Fixed|physical|assert|edge|dst)',
      'kvm_apic_accept_irq: apicid 1 vec 49 (Fixed|edge)',
    ]);
  });
});

describe('x2APIC registers, as kvm-unit-tests msr expects them', () => {
  const readable = (i: number): boolean =>
    [0x02, 0x03, 0x08, 0x0a, 0x0d, 0x0f, 0x28, 0x30, 0x38, 0x39, 0x3e].includes(i) ||
    (i >= 0x10 && i < 0x28) ||
    (i >= 0x32 && i <= 0x37);
  const writable = (i: number): boolean =>
    [0x08, 0x0b, 0x0f, 0x28, 0x30, 0x38, 0x3e, 0x3f].includes(i) || (i >= 0x32 && i <= 0x37);

  test('every MSR of 800h-8FFh faults exactly where the manual has no register', () => {
    const r = x2apic();
    for (let i = 0; i < 0x100; i++) {
      const read = rdmsr(r, 0, 0x800 + i);
      expect([i, read !== undefined]).toEqual([i, readable(i)]);
      expect([i, wrmsr(r, 0, 0x800 + i, 0n)]).toEqual([i, writable(i)]);
    }
  });

  test('bits 63:32 are reserved everywhere but in the ICR', () => {
    const r = x2apic();
    for (let i = 0; i < 0x40; i++) {
      if (i !== 0x30) expect(wrmsr(r, 0, 0x800 + i, 0xffff_ffff_ffff_ffffn)).toBe(false);
    }
  });

  test('all of them fault outside x2APIC mode', () => {
    const r = rig();
    for (let i = 0; i < 0x100; i++) {
      expect(rdmsr(r, 0, 0x800 + i)).toBeUndefined();
      expect(wrmsr(r, 0, 0x800 + i, 0n)).toBe(false);
    }
  });

  test('ICR bits 31:20, 17:16 and 13 fault, and so do ESR and self-IPI values beyond theirs', () => {
    const r = x2apic();
    for (const bit of [13n, 16n, 17n, 20n, 31n]) {
      expect(wrmsr(r, 0, 0x830, 1n << bit)).toBe(false);
    }
    expect(wrmsr(r, 0, 0x828, 1n)).toBe(false);
    for (const value of [0x100n, 0xff00n, 0xff000000n]) {
      expect(wrmsr(r, 0, 0x83f, value)).toBe(false);
    }
  });

  test('the ICR is one 64-bit register with a 32-bit destination', () => {
    const r = x2apic(2);
    expect(wrmsr(r, 0, 0x830, 0x1_0000_4031n)).toBe(true);
    expect(rdmsr(r, 0, 0x830)).toBe(0x1_0000_4031n);
    expect(pending(r, 1)).toBe(0x31);
    expect(printed(r)).toEqual([
      'kvm_apic_ipi: dst 1 vec 49 (Fixed|physical|assert|edge|dst)',
      'kvm_apic_accept_irq: apicid 1 vec 49 (Fixed|edge)',
      'kvm_apic: apic_write APIC_ICR = 0x100004031',
    ]);
  });
});

describe('priorities', () => {
  test('an interrupt waits while its class is not above the task priority', () => {
    const r = rig();
    setClass(r, 5);
    sendIpi(r, 0, 0x40000 | 0x5f);
    expect(pending(r)).toBe(-1);
    expect(tprThreshold(r.chip.lapics[0]!)).toBe(5);
    forget(r);
    setClass(r, 4);
    expect(isKicked(r, 0)).toBe(true);
    expect(pending(r)).toBe(0x5f);
    expect(tprThreshold(r.chip.lapics[0]!)).toBe(0);
  });

  test('CR8 and the task priority register are one', () => {
    const r = rig();
    writeApic(r, 0, 0x80, 0x7c);
    expect(classOf(r)).toBe(7);
    setClass(r, 0xf);
    expect(readApic(r, 0, 0x80)).toBe(0xf0);
  });

  test('the processor priority is the class in service or the task priority', () => {
    const r = rig();
    sendIpi(r, 0, 0x40000 | 0x63);
    take(r);
    expect(readApic(r, 0, 0xa0)).toBe(0x60);
    writeApic(r, 0, 0x80, 0x65);
    expect(readApic(r, 0, 0xa0)).toBe(0x65);
  });

  test('a higher class interrupts a lower one in service; EOIs end them inside out', () => {
    const r = rig();
    sendIpi(r, 0, 0x40000 | 0x41);
    expect(take(r)).toBe(0x41);
    sendIpi(r, 0, 0x40000 | 0x4f);
    expect(pending(r)).toBe(-1);
    sendIpi(r, 0, 0x40000 | 0x52);
    expect(take(r)).toBe(0x52);
    printed(r);
    writeApic(r, 0, 0xb0, 0);
    writeApic(r, 0, 0xb0, 0);
    writeApic(r, 0, 0xb0, 0);
    expect(printed(r).filter((line) => line.startsWith('kvm_eoi'))).toEqual([
      'kvm_eoi: apicid 0 vector 82',
      'kvm_eoi: apicid 0 vector 65',
      'kvm_eoi: apicid 0 vector -1',
    ]);
    expect(pending(r)).toBe(0x4f);
  });
});

describe('messages', () => {
  test('a self-IPI reaches only its sender, in both modes', () => {
    const r = rig(2);
    sendIpi(r, 0, 0x400f1);
    expect([serveAll(r, 0), serveAll(r, 1)]).toEqual([[0xf1], []]);
    const x = x2apic(2);
    wrmsr(x, 1, 0x83f, 0xf1n);
    expect([pending(x), pending(x, 1)]).toEqual([-1, 0xf1]);
  });

  test.each([
    ['all', 0x80000, ['nmi 0', 'nmi 1', 'nmi 2']],
    ['all but self', 0xc0000, ['nmi 0', 'nmi 2']],
    ['self', 0x40000, ['nmi 1']],
  ])('shorthand %s', (_, shorthand, heard) => {
    const r = rig(3);
    sendIpi(r, 1, shorthand | 0x4400);
    expect([reaching(r), held(r)]).toEqual([heard, heard]);
  });

  test('INIT asserts, its level de-assert does nothing, SIPI carries its vector', () => {
    const r = rig(2);
    sendIpi(r, 0, 0xc4500);
    sendIpi(r, 0, 0xc8500);
    sendIpi(r, 0, 0xc4610);
    expect([reaching(r), held(r)]).toEqual([
      ['init 1', 'sipi 1 10'],
      ['init 1', 'sipi 1 10'],
    ]);
    expect(printed(r).filter((line) => line.startsWith('kvm_apic_ipi'))).toEqual([
      'kvm_apic_ipi: dst 0 vec 0 (INIT|physical|assert|edge|all-but-self)',
      'kvm_apic_ipi: dst 0 vec 0 (INIT|physical|de-assert|level|all-but-self)',
      'kvm_apic_ipi: dst 0 vec 16 (SIPI|physical|assert|edge|all-but-self)',
    ]);
  });

  test('a software-disabled APIC takes NMI, INIT and SIPI but no fixed interrupt', () => {
    const r = rig(2);
    writeApic(r, 1, 0xf0, 0xff);
    for (const mode of [0x4031, 0x4400, 0x4500, 0x4609]) sendIpi(r, 0, mode, 1);
    expect(pending(r, 1)).toBe(-1);
    expect(reaching(r)).toEqual(['nmi 1', 'init 1', 'sipi 1 9']);
    expect(held(r)).toEqual(['nmi 1', 'init 1', 'sipi 1 9']);
  });

  test('LINT1 delivers as its LVT entry says', () => {
    const r = rig();
    pulseLint1(r.context, 0);
    writeApic(r, 0, 0x360, 0x400);
    pulseLint1(r.context, 0);
    expect([reaching(r), held(r)]).toEqual([['nmi 0'], ['nmi 0']]);
  });

  test('an MSI says where, which vector and how', () => {
    const r = rig(2);
    expect(sendMsi(r.context, 0xfee01000, 0x4061)).toBe(1);
    expect(pending(r, 1)).toBe(0x61);
    expect(printed(r)).toEqual([
      'kvm_msi_set_irq: dst 1 vec 97 (Fixed|physical|edge)',
      'kvm_apic_accept_irq: apicid 1 vec 97 (Fixed|edge)',
    ]);
  });

  test('an 8-bit broadcast from a device reaches x2APICs too', () => {
    const r = x2apic(3);
    expect(sendMsi(r.context, 0xfeeff000, 0x61)).toBe(3);
  });
});

describe('PV EOI', () => {
  test('is offered only for an edge in service with nothing waiting', () => {
    const r = rig();
    expect(pvEoiCandidate(r.chip.lapics[0]!)).toBe(-1);
    sendIpi(r, 0, 0x40061);
    take(r);
    expect(pvEoiCandidate(r.chip.lapics[0]!)).toBe(0x61);
    sendIpi(r, 0, 0x40062);
    expect(pvEoiCandidate(r.chip.lapics[0]!)).toBe(-1);
  });
});
