import { describe, expect, test } from 'vitest';
import { type CpuidTable, KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2 } from '../../../src/kvm/ioctl/ioctls.ts';
import { apicBaseWrite, getLapic, setLapic } from '../../../src/kvm/irqchip/index.ts';
import { acceptApicEvents } from '../../../src/kvm/vcpu/start.ts';
import {
  baseOf,
  fresh,
  held,
  isKicked,
  pass,
  pending,
  rdmsr,
  readApic,
  type Rig,
  rig,
  sendIpi,
  setBase,
  writeApic,
  wrmsr,
  x2apic,
} from './fixture.ts';

const EN = 0x800n;
const EXTD = 0x400n;
const BASE = 0xfee00100n;
/** CPUID.1:ECX. */
const X2APIC = 1 << 21;

const pageOf = (r: Rig, vcpu = 0): Uint8Array => getLapic(r.chip.lapics[vcpu]!, r.machine.now());

describe('IA32_APIC_BASE', () => {
  test('comes up enabled at FEE00000h, the first vCPU as BSP', () => {
    const r = rig(2);
    expect([baseOf(r, 0), baseOf(r, 1)]).toEqual([0xfee00900, 0xfee00800]);
  });

  test('only the transitions of the SDM are legal', () => {
    const r = rig();
    expect(setBase(r, BASE | EN | EXTD)).toBe(true);
    expect(setBase(r, BASE | EXTD)).toBe(false);
    expect(setBase(r, BASE | EN)).toBe(false);
    expect(setBase(r, BASE)).toBe(true);
    expect(setBase(r, BASE | EXTD)).toBe(false);
    expect(setBase(r, BASE | EN | EXTD)).toBe(false);
    expect(setBase(r, BASE | EN)).toBe(true);
    expect(setBase(r, BASE | EXTD)).toBe(false);
  });

  test('user space may go straight from disabled to x2APIC', () => {
    const r = rig();
    setBase(r, BASE);
    expect(apicBaseWrite(r.context, 0, BASE | EN | EXTD, true)).toBe(true);
  });

  test('reserved bits, addresses beyond the physical width and unannounced x2APIC are refused', () => {
    const r = rig();
    const table: CpuidTable = { entries: [] };
    r.kvm.ioctl(r.kvm.open(), KVM_GET_SUPPORTED_CPUID, table);
    const entries = table.entries.map((e) => (e.function === 1 ? { ...e, ecx: (e.ecx & ~X2APIC) >>> 0 } : e));
    r.kvm.ioctl(r.vcpus[0]!, KVM_SET_CPUID2, { entries });
    expect(setBase(r, BASE | EN | 1n)).toBe(false);
    expect(setBase(r, BASE | EN | (1n << 40n))).toBe(false);
    expect(setBase(r, BASE | EN | (1n << 39n))).toBe(true);
    expect(setBase(r, BASE | EN | EXTD)).toBe(false);
  });

  test('a mode change gives the id its new format', () => {
    const r = rig(2);
    expect(readApic(r, 1, 0x20)).toBe(0x01000000);
    apicBaseWrite(r.on(1), 1, 0xfee00c00n);
    expect(rdmsr(r, 1, 0x802)).toBe(1n);
    expect(rdmsr(r, 1, 0x80d)).toBe(2n);
  });
});

describe('reset', () => {
  test('INIT clears what was pending and keeps base, mode and id', () => {
    const r = x2apic(2);
    wrmsr(r, 1, 0x83f, 0x61n);
    wrmsr(r, 0, 0x830, 0x1_0000_4500n);
    expect(pending(r, 1)).toBe(0x61);
    acceptApicEvents(r.on(1), r.state.vcpus[1]!);
    expect(held(r)).toEqual([]);
    expect(pending(r, 1)).toBe(-1);
    expect(baseOf(r, 1)).toBe(0xfee00c00);
    expect(rdmsr(r, 1, 0x802)).toBe(1n);
  });

  test('a new vCPU comes up in xAPIC mode; only the BSP takes PIC interrupts', () => {
    const r = fresh(2);
    expect([readApic(r, 0, 0x350), readApic(r, 1, 0x350)]).toEqual([0x700, 0x10000]);
    expect(readApic(r, 1, 0x20)).toBe(0x01000000);
    expect(readApic(r, 1, 0xf0)).toBe(0xff);
  });

  test("user space's RESET goes back to xAPIC and to the registers a vCPU comes up with", () => {
    const r = x2apic(2);
    wrmsr(r, 1, 0x83f, 0x61n);
    wrmsr(r, 1, 0x832, 0x200een);
    wrmsr(r, 1, 0x838, 1_000_000n);
    const asNew = fresh(2);
    apicBaseWrite(r.context, 1, BigInt(baseOf(asNew, 1)), true);
    setLapic(r.context, 1, pageOf(asNew, 1));
    expect(pageOf(r, 1)).toEqual(pageOf(asNew, 1));
    expect([pending(r, 1), r.machine.nextDeadline()]).toEqual([-1, Number.POSITIVE_INFINITY]);
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
    pass(a, 300_000);
    const page = pageOf(a);
    const b = rig();
    setLapic(b.context, 0, page);
    expect(pageOf(b)).toEqual(page);
    expect(isKicked(b, 0)).toBe(true);
    expect(b.chip.lapics[0]!.timer.target).toBe(b.machine.now() + 700_000);
    expect(b.machine.nextDeadline()).toBe(b.machine.now() + 700_000);
  });

  test('in x2APIC mode the id stands in the top byte', () => {
    const r = x2apic(2);
    expect(new DataView(pageOf(r, 1).buffer).getUint32(0x20, true)).toBe(0x01000000);
  });
});
