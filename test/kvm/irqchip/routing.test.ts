import { describe, expect, test } from 'vitest';
import { KVM_GET_IRQCHIP, KVM_SET_GSI_ROUTING, KVM_SET_IRQCHIP } from '../../../src/kvm/ioctl/ioctls.ts';
import { type GsiRoutingEntry, setIrqLine } from '../../../src/kvm/irqchip/index.ts';
import { fresh, pending, printed, rig } from './fixture.ts';

const EINVAL = -22;

const irqchip = (gsi: number, chip: number, pin: number): GsiRoutingEntry => ({
  gsi,
  type: 'irqchip',
  irqchip: chip,
  pin,
});
const msi = (gsi: number): GsiRoutingEntry => ({
  gsi,
  type: 'msi',
  addressLow: 0xfee00000,
  addressHigh: 0,
  data: 0x61,
});

describe('KVM_SET_GSI_ROUTING', () => {
  test('without it GSI n is IOAPIC pin n, then PIC pin n', () => {
    const { routes } = fresh().chip.routing;
    expect(routes[0]).toEqual([
      { type: 'irqchip', irqchip: 2, pin: 0 },
      { type: 'irqchip', irqchip: 0, pin: 0 },
    ]);
    expect(routes[12]).toEqual([
      { type: 'irqchip', irqchip: 2, pin: 12 },
      { type: 'irqchip', irqchip: 1, pin: 12 },
    ]);
    expect(routes.map((r) => r.length)).toEqual([...Array(16).fill(2), ...Array(8).fill(1)]);
  });

  test('a GSI can lead to an MSI, which only a rising line sends', () => {
    const r = rig(1, [msi(40)]);
    expect(setIrqLine(r.context, 40, 0, false)).toBe(-1);
    expect(setIrqLine(r.context, 40, 0, true)).toBe(1);
    expect(pending(r)).toBe(0x61);
    expect(printed(r)).toEqual([
      'kvm_set_irq: gsi 40 level 0 source 0',
      'kvm_set_irq: gsi 40 level 1 source 0',
      'kvm_msi_set_irq: dst 0 vec 97 (Fixed|physical|edge)',
      'kvm_apic_accept_irq: apicid 0 vec 97 (Fixed|edge)',
    ]);
  });

  test.each([
    ['a pin no chip has', [irqchip(0, 2, 24)]],
    ['a ninth PIC pin', [irqchip(0, 0, 8)]],
    ['an unknown chip', [irqchip(0, 3, 0)]],
    ['two pins of one chip', [irqchip(0, 2, 0), irqchip(0, 2, 1)]],
    ['an MSI beside a pin', [irqchip(0, 2, 0), msi(0)]],
    ['a GSI beyond 4095', [msi(4096)]],
    ['a GSI below 0', [msi(-1)]],
    ['a PIC pin below 0', [irqchip(0, 1, -1)]],
    ['an IOAPIC pin below 0', [irqchip(0, 2, -1)]],
  ])('refuses %s and keeps the old table', (_, entries) => {
    const r = rig();
    const before = r.chip.routing;
    expect(r.kvm.ioctl(r.vm, KVM_SET_GSI_ROUTING, { entries })).toBe(EINVAL);
    expect(r.chip.routing).toBe(before);
  });
});

test.each([-1, 3])('there is no interrupt controller %i to read or set', (chipId) => {
  const r = rig();
  expect(r.kvm.ioctl(r.vm, KVM_GET_IRQCHIP, { chipId })).toBe(EINVAL);
  expect(r.kvm.ioctl(r.vm, KVM_SET_IRQCHIP, { chipId, state: {} })).toBe(EINVAL);
});
