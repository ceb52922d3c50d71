import { describe, expect, test } from 'vitest';
import { lapicSeen, lapicText } from '../../../src/debugger/views/lapic.ts';
import type { LapicState } from '../../../src/kvm/irqchip/state.ts';

const lapic: LapicState = {
  vcpu: 1,
  apicBase: 0xfee00c00,
  id: 1,
  tpr: 0x20,
  ldr: 1,
  dfr: 0xffffffff,
  svr: 0x1ff,
  icrLow: 0xfd,
  icrHigh: 0,
  lvt: [0x400ec, 0x10000, 0x400, 0x10700, 0x400, 0xfe],
  initialCount: 0,
  divideConfig: 0,
  esr: 0,
  errors: 0,
  isr: [0, 0, 0, 0, 0, 0, 0, 0x1000],
  tmr: [0, 0, 0, 0, 0, 0, 0, 0],
  irr: [0, 1, 0, 0, 0, 0, 0, 0],
  timer: { mode: 2, divide: 1, period: 0, target: 0, tscDeadline: 5n, pending: false, cause: -1 },
  isrCache: -1,
  causes: {},
  ioapicHandled: [],
  features: { x2apic: true, tscDeadline: true, physicalBits: 39 },
};

describe('info lapic', () => {
  const lines = lapicText(lapicSeen(1, lapic, 1234)).split('\n');

  test.each([
    'MODE  x2APIC, APIC base 0xfee00c00',
    'LVTT   0x000400ec edge  tsc-deadline (vec 236)',
    'LVT0   0x00010700 edge  masked ExtINT (vec 0)',
    'Timer  DCR=0x0 initial_count=0 due at 1234 ns',
    'ISR    236',
    'IRR    32',
    'TMR    (none)',
  ])('says %j', (line) => expect(lines).toContain(line));

  test('says of a timer that is not armed that it does not run', () => {
    expect(lapicText(lapicSeen(1, lapic, undefined))).toContain('initial_count=0 not running');
  });
});
