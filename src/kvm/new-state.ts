import type { Draft } from '../base/draft.ts';
import { NONE } from '../events/origin.ts';
import type { LapicState } from './irqchip/state.ts';
import { tablePages } from '../memory/ept-pool.ts';
import { newRoots } from './mmu/roots.ts';
import type { KvmState } from './state.ts';

/** The state before anybody opened /dev/kvm, of a machine with so much memory. */
export const newKvmState = (memoryBytes: number): KvmState => ({
  files: [],
  vm: undefined,
  vcpus: [],
  ept: { roots: newRoots(), pages: tablePages(memoryBytes), next: 0, free: [], used: 0, tables: {} },
  timers: {},
});

const zeros = (count: number): number[] => new Array<number>(count).fill(0);

/** A local APIC nobody has reset yet. */
export function newLapic(vcpu: number): Draft<LapicState> {
  return {
    vcpu,
    apicBase: 0,
    id: 0,
    tpr: 0,
    ldr: 0,
    dfr: 0,
    svr: 0,
    icrLow: 0,
    icrHigh: 0,
    lvt: zeros(6),
    initialCount: 0,
    divideConfig: 0,
    esr: 0,
    errors: 0,
    isr: zeros(8),
    tmr: zeros(8),
    irr: zeros(8),
    timer: { mode: 0, divide: 2, period: 0, target: 0, tscDeadline: 0n, pending: false, cause: NONE },
    isrCache: -1,
    causes: {},
    ioapicHandled: zeros(8),
    features: { x2apic: true, tscDeadline: true, physicalBits: 46 },
  };
}
