import { describe, expect, test } from 'vitest';
import { getPic, irqchipPortRead, irqchipPortWrite, setIrqLine } from '../../../src/kvm/irqchip/index.ts';
import { forget, isKicked, pending, printed, type Rig, rig, take, writeApic } from './fixture.ts';

/** ICW1-4 as PC firmware writes them: vectors 08h and 70h, slave on pin 2. */
function initialized(icw4 = 1): Rig {
  const r = rig();
  for (const [port, value] of [
    [0x20, 0x11],
    [0x21, 0x08],
    [0x21, 0x04],
    [0x21, icw4],
    [0xa0, 0x11],
    [0xa1, 0x70],
    [0xa1, 0x02],
    [0xa1, icw4],
    [0x21, 0],
    [0xa1, 0],
  ] as const) {
    write(r, port, value);
  }
  forget(r);
  return r;
}

const line = (r: Rig, gsi: number, level: boolean, source = 0): number => setIrqLine(r.context, gsi, source, level);
const write = (r: Rig, port: number, value: number): boolean => irqchipPortWrite(r.on(0), port, 1, value);
const read = (r: Rig, port: number): number | undefined => irqchipPortRead(r.on(0), port, 1);

function pulse(r: Rig, gsi: number): void {
  line(r, gsi, true);
  line(r, gsi, false);
}

describe('8259A', () => {
  test('an edge is served once, with the base of ICW2', () => {
    const r = initialized();
    pulse(r, 1);
    expect(isKicked(r, 0)).toBe(true);
    expect(pending(r)).toBe(0x09);
    expect(take(r)).toBe(0x09);
    expect(pending(r)).toBe(-1);
  });

  test('a slave interrupt comes through the cascade with the slave base', () => {
    const r = initialized();
    pulse(r, 12);
    expect(take(r)).toBe(0x74);
    expect(getPic(r.chip, 0).isr).toBe(1 << 2);
    expect(getPic(r.chip, 1).isr).toBe(1 << 4);
  });

  test('a lower priority waits for the EOI of a higher one, a higher one does not wait', () => {
    const r = initialized();
    pulse(r, 3);
    expect(take(r)).toBe(0x0b);
    pulse(r, 4);
    expect(pending(r)).toBe(-1);
    pulse(r, 1);
    expect(take(r)).toBe(0x09);
    write(r, 0x20, 0x20);
    expect(pending(r)).toBe(-1);
    write(r, 0x20, 0x20);
    expect(take(r)).toBe(0x0c);
  });

  test('a masked request waits for its unmasking', () => {
    const r = initialized();
    write(r, 0x21, 0xff);
    pulse(r, 5);
    expect(pending(r)).toBe(-1);
    write(r, 0x21, 0xdf);
    expect(take(r)).toBe(0x0d);
  });

  test('a level input set in the ELCR asks again until it goes low', () => {
    const r = initialized();
    write(r, 0x4d1, 0x08);
    line(r, 11, true);
    expect(take(r)).toBe(0x73);
    write(r, 0xa0, 0x20);
    write(r, 0x20, 0x20);
    expect(pending(r)).toBe(0x73);
    line(r, 11, false);
    take(r);
    expect(getPic(r.chip, 1).irr).toBe(0);
  });

  test('the ELCR refuses level for the timer, keyboard, cascade, RTC and FPU', () => {
    const r = initialized();
    write(r, 0x4d0, 0xff);
    write(r, 0x4d1, 0xff);
    expect([read(r, 0x4d0), read(r, 0x4d1)]).toEqual([0xf8, 0xde]);
  });

  test('a line stays high while any source holds it', () => {
    const r = initialized();
    write(r, 0x4d1, 0x08);
    line(r, 11, true);
    line(r, 11, true, 1);
    line(r, 11, false);
    expect(getPic(r.chip, 1).irr).toBe(1 << 3);
    line(r, 11, false, 1);
    expect(getPic(r.chip, 1).irr).toBe(0);
  });

  test('automatic EOI leaves nothing in service', () => {
    const r = initialized(3);
    pulse(r, 1);
    expect(take(r)).toBe(0x09);
    expect(getPic(r.chip, 0).isr).toBe(0);
  });

  test('rotation on EOI makes the ended request the lowest', () => {
    const r = initialized();
    pulse(r, 3);
    take(r);
    write(r, 0x20, 0xa0);
    pulse(r, 3);
    pulse(r, 4);
    expect(take(r)).toBe(0x0c);
  });

  test('OCW2 6 names the lowest priority, 7 does so and ends that request', () => {
    const r = initialized();
    write(r, 0x20, 0xc0 | 4);
    pulse(r, 1);
    pulse(r, 5);
    expect(take(r)).toBe(0x0d);
    write(r, 0x20, 0xe0 | 5);
    expect(getPic(r.chip, 0)).toMatchObject({ isr: 0, priorityAdd: 6 });
  });

  test('OCW3 chooses what port 20h reads', () => {
    const r = initialized();
    pulse(r, 1);
    expect(read(r, 0x20)).toBe(2);
    take(r);
    write(r, 0x20, 0x0b);
    expect(read(r, 0x20)).toBe(2);
    write(r, 0x20, 0x0a);
    expect(read(r, 0x20)).toBe(0);
  });

  test('a poll takes and ends the best request, once', () => {
    const r = initialized();
    pulse(r, 6);
    write(r, 0x20, 0x0c);
    expect(read(r, 0x20)).toBe(6);
    expect(read(r, 0x20)).toBe(0);
    write(r, 0x20, 0x0c);
    expect(read(r, 0x20)).toBe(7);
  });

  test('a request that ICW1 takes away before INTA is spurious: input 7', () => {
    const r = initialized();
    pulse(r, 1);
    write(r, 0x20, 0x11);
    expect(take(r)).toBe(0x0f);
    expect(getPic(r.chip, 0).isr).toBe(0);
  });

  test('a level that falls before INTA is spurious on the slave, whose cascade is in service', () => {
    const r = initialized();
    write(r, 0x4d1, 0x08);
    line(r, 11, true);
    line(r, 11, false);
    expect(take(r)).toBe(0x77);
    expect([getPic(r.chip, 0).isr, getPic(r.chip, 1).isr]).toEqual([1 << 2, 0]);
  });

  test('ICW1 drops edges and keeps levels', () => {
    const r = initialized();
    write(r, 0x4d0, 0x20);
    pulse(r, 1);
    line(r, 5, true);
    write(r, 0x20, 0x11);
    expect(getPic(r.chip, 0)).toMatchObject({ irr: 0x20, imr: 0, initState: 1 });
  });

  test('with the LAPIC enabled the PIC reaches only a vCPU whose LVT0 is ExtINT', () => {
    const r = initialized();
    writeApic(r, 0, 0x350, 0x10700);
    pulse(r, 1);
    expect(pending(r)).toBe(-1);
    writeApic(r, 0, 0x350, 0x700);
    expect(pending(r)).toBe(0x09);
  });
});

describe('order of events, as recorded on real KVM', () => {
  test('a line change goes to the PIC, then the IOAPIC, GSI 0 to pin 2', () => {
    const r = rig();
    write(r, 0x21, 0xff);
    line(r, 0, true, 2);
    line(r, 0, false, 2);
    expect(printed(r)).toEqual([
      'kvm_set_irq: gsi 0 level 1 source 2',
      'kvm_pic_set_irq: chip 0 pin 0 (edge|masked)',
      'kvm_ioapic_set_irq: pin 2 dst 0 vec 0 (Fixed|physical|edge|masked)',
      'kvm_set_irq: gsi 0 level 0 source 2',
      'kvm_pic_set_irq: chip 0 pin 0 (edge|masked)',
      'kvm_ioapic_set_irq: pin 2 dst 0 vec 0 (Fixed|physical|edge|masked)',
    ]);
  });

  test('GSI 2 leads nowhere on a PC', () => {
    const r = rig();
    line(r, 2, false);
    expect(printed(r)).toEqual(['kvm_set_irq: gsi 2 level 0 source 0']);
  });

  test('an EOI of the master is acknowledged by name', () => {
    const r = initialized();
    pulse(r, 0);
    take(r);
    printed(r);
    write(r, 0x20, 0x20);
    expect(printed(r)).toEqual(['kvm_ack_irq: irqchip PIC master pin 0']);
  });
});
