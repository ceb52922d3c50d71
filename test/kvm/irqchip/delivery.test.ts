import { describe, expect, test } from 'vitest';
import { kickCpu, sendPvIpi } from '../../../src/kvm/irqchip/index.ts';
import { VCPUS_MAX } from '../../../src/x86/guest.ts';
import type { Rig } from './fixture.ts';
import {
  forget,
  held,
  isKicked,
  pending,
  reaching,
  rig,
  sendIpi,
  setBase,
  writeApic,
  wrmsr,
  x2apic,
} from './fixture.ts';

const FLAT = 0xffffffff;
const CLUSTER = 0x0fffffff;
const LOGICAL = 0x4c00;
const LOWEST = 0x100;
const SHORTHAND_ALL = 0x80000;

function setLogicalId(r: Rig, vcpu: number, id: number, format: number): void {
  writeApic(r, vcpu, 0xe0, format);
  writeApic(r, vcpu, 0xd0, (id << 24) >>> 0);
}

/** Which vCPUs an NMI from vCPU 0 to this logical destination reaches. */
function reached(r: Rig, destination: number): string {
  r.events.length = 0;
  sendIpi(r, 0, LOGICAL, destination);
  return reaching(r).toSorted().join(', ');
}

describe('logical destinations in xAPIC mode, as kvm-unit-tests apic tries them all', () => {
  test('flat: every destination with the bit of one vCPU reaches it alone', () => {
    const r = rig(2);
    setLogicalId(r, 0, 0, FLAT);
    for (let bit = 0; bit < 8; bit++) {
      setLogicalId(r, 1, 1 << bit, FLAT);
      for (let other = 0; other < 0xff; other++) {
        const destination = other | (1 << bit);
        if (destination !== 0xff) expect([destination, reached(r, destination)]).toEqual([destination, 'nmi 1']);
      }
    }
  });

  test('flat: two vCPUs with one bit each, or sharing both bits, are both reached', () => {
    const r = rig(2);
    for (let i = 0; i < 8; i++) {
      for (let j = 0; j < 8; j++) {
        if (i === j) continue;
        const both = (1 << i) | (1 << j);
        setLogicalId(r, 0, 1 << i, FLAT);
        setLogicalId(r, 1, 1 << j, FLAT);
        for (const other of [0, 0x55, 0xaa, 0xff]) expect(reached(r, both | other)).toBe('nmi 0, nmi 1');
        for (const vcpu of [0, 1]) setLogicalId(r, vcpu, both, FLAT);
        expect(reached(r, both)).toBe('nmi 0, nmi 1');
      }
    }
  });

  test('cluster: the cluster must be equal and a bit common', () => {
    const r = rig(2);
    setLogicalId(r, 0, 0, CLUSTER);
    for (let cluster = 0; cluster < 15; cluster++) {
      for (let bit = 0; bit < 4; bit++) {
        setLogicalId(r, 1, (cluster << 4) | (1 << bit), CLUSTER);
        for (let destination = 0; destination < 0xff; destination++) {
          const hit = destination >> 4 === cluster && (destination & (1 << bit)) !== 0;
          expect([destination, reached(r, destination)]).toEqual([destination, hit ? 'nmi 1' : '']);
        }
      }
    }
  });
});

describe('physical destinations', () => {
  test('FFh reaches everybody in xAPIC mode, FFFFFFFFh in x2APIC mode', () => {
    const r = rig(3);
    sendIpi(r, 1, 0x4400, 0xff);
    expect(reaching(r)).toEqual(['nmi 0', 'nmi 1', 'nmi 2']);
    for (let vcpu = 0; vcpu < 3; vcpu++) setBase(r, vcpu === 0 ? 0xfee00d00n : 0xfee00c00n, vcpu);
    forget(r);
    wrmsr(r, 0, 0x830, 0xff_0000_4400n);
    expect(reaching(r)).toEqual([]);
    wrmsr(r, 0, 0x830, 0xffff_ffff_0000_4400n);
    expect(reaching(r)).toEqual(['nmi 0', 'nmi 1', 'nmi 2']);
  });

  test('an xAPIC answers to the id the guest gave it', () => {
    const r = rig(2);
    writeApic(r, 1, 0x20, 0x2a000000);
    sendIpi(r, 0, 0x4400, 1);
    sendIpi(r, 0, 0x4400, 0x2a);
    expect(reaching(r)).toEqual(['nmi 1']);
  });

  test('a disabled APIC is not there', () => {
    const r = rig(2);
    setBase(r, 0xfee00000n, 1);
    sendIpi(r, 0, 0xc4500);
    sendIpi(r, 0, 0x4500, 1);
    expect(reaching(r)).toEqual([]);
  });
});

describe('lowest priority', () => {
  test('the vector chooses among all vCPUs there may be', () => {
    const r = rig(VCPUS_MAX);
    for (const vector of [0x40, 0x5f, 0x6e]) sendIpi(r, 0, SHORTHAND_ALL | LOWEST | vector);
    const taken = r.chip.lapics.flatMap((_, vcpu) => (pending(r, vcpu) < 0 ? [] : [[vcpu, pending(r, vcpu)]]));
    expect(taken).toEqual([
      [0, 0x40],
      [14, 0x6e],
      [31, 0x5f],
    ]);
  });
});

describe('x2APIC logical destinations', () => {
  test('the cluster in 31:16 and one bit per id', () => {
    const r = x2apic(18);
    wrmsr(r, 0, 0x830, 0x0001_0003_0000_4c00n);
    wrmsr(r, 0, 0x830, 0x0000_8001_0000_4c00n);
    expect(reaching(r)).toEqual(['nmi 16', 'nmi 17', 'nmi 0', 'nmi 15']);
  });
});

describe('hypercalls', () => {
  test('SEND_IPI counts the vCPUs it reached and refuses shorthands and logical mode', () => {
    const r = rig(3);
    const send = (low: bigint, high: bigint, min: number, icr: number): number =>
      sendPvIpi(r.on(0), { low, high }, min, icr, true);
    expect(send(0b101n, 0n, 0, 0x61)).toBe(2);
    expect([0, 1, 2].map((vcpu) => isKicked(r, vcpu))).toEqual([true, false, true]);
    expect(send(0b11n, 0n, 1, 0x400)).toBe(2);
    expect(reaching(r)).toEqual(['nmi 1', 'nmi 2']);
    expect(held(r)).toEqual(['nmi 1', 'nmi 2']);
    expect([0, 1, 2].map((vcpu) => pending(r, vcpu))).toEqual([0x61, -1, 0x61]);
    expect(send(1n, 0n, 0, 0x800)).toBe(-22);
    expect(send(1n, 0n, 0, 0x40000)).toBe(-22);
    expect(send(0xffffffffn, 0n, 0xffffffff, 0)).toBe(0);
  });

  test('KICK_CPU ends the HLT of the vCPU with that APIC id', () => {
    const r = rig(2);
    kickCpu(r.on(0), 1);
    expect([reaching(r), held(r)]).toEqual([['unhalt 1'], ['unhalt 1']]);
  });
});
