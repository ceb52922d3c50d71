import { describe, expect, test } from 'vitest';
import {
  acknowledgeInterrupt,
  apicBaseRead,
  apicBaseWrite,
  getLapic,
  lapicMmioRead,
  lapicMmioWrite,
  lapicMsrRead,
  lapicMsrWrite,
  pendingInterrupt,
  pulseLint1,
  pvEoiCandidate,
  resetLapic,
  sendMsi,
  setLapic,
  setLapicFeatures,
  taskPriority,
  tprThreshold,
  writeTaskPriority,
} from '../../../src/kvm/irqchip/index.ts';
import type { Rig } from './fixture.ts';
import { printed, readApic, rig, sendIpi, serveAll, writeApic } from './fixture.ts';

const EN = 0x800n;
const EXTD = 0x400n;
const BASE = 0xfee00100n;

const setBase = (r: Rig, bits: bigint, vcpu = 0): boolean => apicBaseWrite(r.chip, vcpu, BASE | bits, r.fx);

function x2apic(vcpus = 1): Rig {
  const r = rig(vcpus);
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    const base = apicBaseRead(r.chip, vcpu);
    apicBaseWrite(r.chip, vcpu, base | EXTD, r.fx);
  }
  printed(r);
  r.heard.length = 0;
  return r;
}

describe('IA32_APIC_BASE', () => {
  test('comes up enabled at FEE00000h, the first vCPU as BSP', () => {
    const r = rig(2);
    expect([apicBaseRead(r.chip, 0), apicBaseRead(r.chip, 1)]).toEqual([0xfee00900n, 0xfee00800n]);
  });

  test('only the transitions of the SDM are legal', () => {
    const r = rig();
    expect(setBase(r, EN | EXTD)).toBe(true);
    expect(setBase(r, EXTD)).toBe(false);
    expect(setBase(r, EN)).toBe(false);
    expect(setBase(r, 0n)).toBe(true);
    expect(setBase(r, EXTD)).toBe(false);
    expect(setBase(r, EN | EXTD)).toBe(false);
    expect(setBase(r, EN)).toBe(true);
    expect(setBase(r, EXTD)).toBe(false);
  });

  test('user space may go straight from disabled to x2APIC', () => {
    const r = rig();
    setBase(r, 0n);
    expect(apicBaseWrite(r.chip, 0, BASE | EN | EXTD, r.fx, true)).toBe(true);
  });

  test('reserved bits, addresses beyond the physical width and unannounced x2APIC are refused', () => {
    const r = rig();
    setLapicFeatures(r.chip, 0, { x2apic: false, tscDeadline: true, physicalBits: 40 });
    expect(apicBaseWrite(r.chip, 0, BASE | EN | 1n, r.fx)).toBe(false);
    expect(apicBaseWrite(r.chip, 0, BASE | EN | (1n << 40n), r.fx)).toBe(false);
    expect(apicBaseWrite(r.chip, 0, BASE | EN | (1n << 39n), r.fx)).toBe(true);
    expect(apicBaseWrite(r.chip, 0, BASE | EN | EXTD, r.fx)).toBe(false);
  });

  test('a mode change gives the id its new format', () => {
    const r = rig(2);
    expect(readApic(r, 1, 0x20)).toBe(0x01000000);
    apicBaseWrite(r.chip, 1, 0xfee00c00n, r.fx);
    expect(lapicMsrRead(r.chip, 1, 0x802, r.fx)).toBe(1n);
    expect(lapicMsrRead(r.chip, 1, 0x80d, r.fx)).toBe(2n);
  });
});

describe('the register page', () => {
  test('reads as ones and ignores writes when the APIC is disabled or in x2APIC mode', () => {
    for (const bits of [0n, EN | EXTD]) {
      const r = rig();
      setBase(r, bits);
      lapicMmioWrite(r.chip, 0, 0x80, 4, 0xff, r.fx);
      expect(lapicMmioRead(r.chip, 0, 0x30, 4, r.fx)).toBe(-1);
      expect(taskPriority(r.chip, 0)).toBe(0);
    }
  });

  test('shows version 14h with six LVT entries', () => {
    expect(readApic(rig(), 0, 0x30)).toBe(0x50014);
  });

  test('takes only aligned 32-bit writes, reads any bytes of a register', () => {
    const r = rig();
    lapicMmioWrite(r.chip, 0, 0x80, 1, 0x20, r.fx);
    lapicMmioWrite(r.chip, 0, 0x84, 4, 0x20, r.fx);
    expect(readApic(r, 0, 0x80)).toBe(0);
    expect(lapicMmioRead(r.chip, 0, 0x32, 2, r.fx)).toBe(5);
    expect(lapicMmioRead(r.chip, 0, 0x30, 8, r.fx)).toBe(0);
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
      const read = lapicMsrRead(r.chip, 0, 0x800 + i, r.fx);
      expect([i, read !== undefined]).toEqual([i, readable(i)]);
      expect([i, lapicMsrWrite(r.chip, 0, 0x800 + i, 0n, r.fx)]).toEqual([i, writable(i)]);
    }
  });

  test('bits 63:32 are reserved everywhere but in the ICR', () => {
    const r = x2apic();
    for (let i = 0; i < 0x40; i++) {
      if (i !== 0x30) expect(lapicMsrWrite(r.chip, 0, 0x800 + i, 0xffff_ffff_ffff_ffffn, r.fx)).toBe(false);
    }
  });

  test('all of them fault outside x2APIC mode', () => {
    const r = rig();
    for (let i = 0; i < 0x100; i++) {
      expect(lapicMsrRead(r.chip, 0, 0x800 + i, r.fx)).toBeUndefined();
      expect(lapicMsrWrite(r.chip, 0, 0x800 + i, 0n, r.fx)).toBe(false);
    }
  });

  test('ICR bits 31:20, 17:16 and 13 fault, and so do ESR and self-IPI values beyond theirs', () => {
    const r = x2apic();
    for (const bit of [13n, 16n, 17n, 20n, 31n]) {
      expect(lapicMsrWrite(r.chip, 0, 0x830, 1n << bit, r.fx)).toBe(false);
    }
    expect(lapicMsrWrite(r.chip, 0, 0x828, 1n, r.fx)).toBe(false);
    for (const value of [0x100n, 0xff00n, 0xff000000n]) {
      expect(lapicMsrWrite(r.chip, 0, 0x83f, value, r.fx)).toBe(false);
    }
  });

  test('the ICR is one 64-bit register with a 32-bit destination', () => {
    const r = x2apic(2);
    expect(lapicMsrWrite(r.chip, 0, 0x830, 0x1_0000_4031n, r.fx)).toBe(true);
    expect(lapicMsrRead(r.chip, 0, 0x830, r.fx)).toBe(0x1_0000_4031n);
    expect(pendingInterrupt(r.chip, 1)).toBe(0x31);
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
    writeTaskPriority(r.chip, 0, 5, r.fx);
    sendIpi(r, 0, 0x40000 | 0x5f);
    expect(pendingInterrupt(r.chip, 0)).toBe(-1);
    expect(tprThreshold(r.chip, 0)).toBe(5);
    r.heard.length = 0;
    writeTaskPriority(r.chip, 0, 4, r.fx);
    expect(r.heard).toEqual(['kick 0']);
    expect(pendingInterrupt(r.chip, 0)).toBe(0x5f);
    expect(tprThreshold(r.chip, 0)).toBe(0);
  });

  test('CR8 and the task priority register are one', () => {
    const r = rig();
    writeApic(r, 0, 0x80, 0x7c);
    expect(taskPriority(r.chip, 0)).toBe(7);
    writeTaskPriority(r.chip, 0, 0xf, r.fx);
    expect(readApic(r, 0, 0x80)).toBe(0xf0);
  });

  test('the processor priority is the class in service or the task priority', () => {
    const r = rig();
    sendIpi(r, 0, 0x40000 | 0x63);
    acknowledgeInterrupt(r.chip, 0, r.fx);
    expect(readApic(r, 0, 0xa0)).toBe(0x60);
    writeApic(r, 0, 0x80, 0x65);
    expect(readApic(r, 0, 0xa0)).toBe(0x65);
  });

  test('a higher class interrupts a lower one in service; EOIs end them inside out', () => {
    const r = rig();
    sendIpi(r, 0, 0x40000 | 0x41);
    expect(acknowledgeInterrupt(r.chip, 0, r.fx)).toBe(0x41);
    sendIpi(r, 0, 0x40000 | 0x4f);
    expect(pendingInterrupt(r.chip, 0)).toBe(-1);
    sendIpi(r, 0, 0x40000 | 0x52);
    expect(acknowledgeInterrupt(r.chip, 0, r.fx)).toBe(0x52);
    printed(r);
    writeApic(r, 0, 0xb0, 0);
    writeApic(r, 0, 0xb0, 0);
    writeApic(r, 0, 0xb0, 0);
    expect(printed(r).filter((line) => line.startsWith('kvm_eoi'))).toEqual([
      'kvm_eoi: apicid 0 vector 82',
      'kvm_eoi: apicid 0 vector 65',
      'kvm_eoi: apicid 0 vector -1',
    ]);
    expect(pendingInterrupt(r.chip, 0)).toBe(0x4f);
  });
});

describe('messages', () => {
  test('a self-IPI reaches only its sender, in both modes', () => {
    const r = rig(2);
    sendIpi(r, 0, 0x400f1);
    expect([serveAll(r, 0), serveAll(r, 1)]).toEqual([[0xf1], []]);
    const x = x2apic(2);
    lapicMsrWrite(x.chip, 1, 0x83f, 0xf1n, x.fx);
    expect([pendingInterrupt(x.chip, 0), pendingInterrupt(x.chip, 1)]).toEqual([-1, 0xf1]);
  });

  test.each([
    ['all', 0x80000, ['nmi 0', 'nmi 1', 'nmi 2']],
    ['all but self', 0xc0000, ['nmi 0', 'nmi 2']],
    ['self', 0x40000, ['nmi 1']],
  ])('shorthand %s', (_, shorthand, heard) => {
    const r = rig(3);
    sendIpi(r, 1, shorthand | 0x4400);
    expect(r.heard).toEqual(heard);
  });

  test('INIT asserts, its level de-assert does nothing, SIPI carries its vector', () => {
    const r = rig(2);
    sendIpi(r, 0, 0xc4500);
    sendIpi(r, 0, 0xc8500);
    sendIpi(r, 0, 0xc4610);
    expect(r.heard).toEqual(['init 1', 'sipi 1 10']);
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
    expect(pendingInterrupt(r.chip, 1)).toBe(-1);
    expect(r.heard).toEqual(['nmi 1', 'init 1', 'sipi 1 9']);
  });

  test('LINT1 delivers as its LVT entry says', () => {
    const r = rig();
    pulseLint1(r.chip, 0, r.fx);
    writeApic(r, 0, 0x360, 0x400);
    pulseLint1(r.chip, 0, r.fx);
    expect(r.heard).toEqual(['nmi 0']);
  });

  test('an MSI says where, which vector and how', () => {
    const r = rig(2);
    expect(sendMsi(r.chip, 0xfee01000, 0x4061, r.fx)).toBe(1);
    expect(pendingInterrupt(r.chip, 1)).toBe(0x61);
    expect(printed(r)).toEqual([
      'kvm_msi_set_irq: dst 1 vec 97 (Fixed|physical|edge)',
      'kvm_apic_accept_irq: apicid 1 vec 97 (Fixed|edge)',
    ]);
  });

  test('an 8-bit broadcast from a device reaches x2APICs too', () => {
    const r = x2apic(3);
    expect(sendMsi(r.chip, 0xfeeff000, 0x61, r.fx)).toBe(3);
  });
});

describe('reset', () => {
  test('INIT clears what was pending and keeps base, mode and id', () => {
    const r = x2apic(2);
    lapicMsrWrite(r.chip, 1, 0x83f, 0x61n, r.fx);
    resetLapic(r.chip, 1, true);
    expect(pendingInterrupt(r.chip, 1)).toBe(-1);
    expect(apicBaseRead(r.chip, 1)).toBe(0xfee00c00n);
    expect(lapicMsrRead(r.chip, 1, 0x802, r.fx)).toBe(1n);
  });

  test('RESET goes back to xAPIC; only the BSP takes PIC interrupts', () => {
    const r = x2apic(2);
    for (const vcpu of [0, 1]) resetLapic(r.chip, vcpu, false);
    expect([readApic(r, 0, 0x350), readApic(r, 1, 0x350)]).toEqual([0x700, 0x10000]);
    expect(readApic(r, 1, 0x20)).toBe(0x01000000);
    expect(readApic(r, 1, 0xf0)).toBe(0xff);
  });
});

describe('PV EOI', () => {
  test('is offered only for an edge in service with nothing waiting', () => {
    const r = rig();
    expect(pvEoiCandidate(r.chip, 0)).toBe(-1);
    sendIpi(r, 0, 0x40061);
    acknowledgeInterrupt(r.chip, 0, r.fx);
    expect(pvEoiCandidate(r.chip, 0)).toBe(0x61);
    sendIpi(r, 0, 0x40062);
    expect(pvEoiCandidate(r.chip, 0)).toBe(-1);
  });
});

describe('KVM_GET_LAPIC and KVM_SET_LAPIC', () => {
  test('a page set on another APIC reads back the same', () => {
    const a = rig();
    const cases: [number, number][] = [
      [0x80, 0x20],
      [0xd0, 0x01000000],
      [0x320, 0x200ee],
      [0x3e0, 0xb],
      [0x380, 1_000_000],
    ];
    for (const [offset, value] of cases) writeApic(a, 0, offset, value);
    sendIpi(a, 0, 0x40061);
    a.clock += 300_000;
    const page = getLapic(a.chip, 0, a.fx);
    const b = rig();
    setLapic(b.chip, 0, page, b.fx);
    expect(getLapic(b.chip, 0, b.fx)).toEqual(page);
    expect(b.heard).toContain('kick 0');
    expect(b.chip.lapics[0].timer.expiresAt).toBe(b.clock + 700_000);
  });

  test('in x2APIC mode the id stands in the top byte', () => {
    const r = x2apic(2);
    expect(new DataView(getLapic(r.chip, 1, r.fx).buffer).getUint32(0x20, true)).toBe(0x01000000);
  });
});
