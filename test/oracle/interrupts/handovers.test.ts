import { describe, expect, test } from 'vitest';
import { NONE } from '../../../src/events/origin.ts';
import { MAIN_LOOP, type Source, type Stamped, vcpuSource } from '../../../src/events/stamped.ts';
import type { EventKind, MachineEvent } from '../../../src/events/vocabulary.ts';
import { interruptOrigins } from './origins.ts';

const VCPU = vcpuSource(0);
const DISK = { drive: 'd', dev: 'virtio-blk-pci#0' };

/** One event: who, because of which of these, what, and the fields that are looked at. */
type Row = readonly [source: Source, cause: number, kind: EventKind, fields?: object];

const events = (rows: readonly Row[]): Stamped[] =>
  rows.map(([source, cause, kind, fields], seq) => {
    const event = { kind, ...fields } as MachineEvent;
    return { seq, tick: seq, source, cause, within: NONE, event } as Stamped;
  });

/** Two kicks for two requests; the first request's completion sends a message, which the vCPU takes. */
const served: readonly Row[] = [
  [VCPU, NONE, 'kvm_exit'],
  [VCPU, 0, 'sim:eventfd_signal', { fd: 5, by: 'ioeventfd' }],
  [VCPU, NONE, 'kvm_exit'],
  [VCPU, 2, 'sim:eventfd_signal', { fd: 5, by: 'ioeventfd' }],
  [MAIN_LOOP, 1, 'sim:eventfd_consume', { fd: 5, by: 'user space' }],
  [MAIN_LOOP, 1, 'sim:disk_submitted', { ...DISK, tag: 1 }],
  [VCPU, NONE, 'kvm_exit'],
  [VCPU, 6, 'sim:eventfd_signal', { fd: 5, by: 'ioeventfd' }],
  [MAIN_LOOP, 7, 'sim:eventfd_consume', { fd: 5, by: 'user space' }],
  [MAIN_LOOP, 7, 'sim:disk_submitted', { ...DISK, tag: 2 }],
  [MAIN_LOOP, 5, 'sim:disk_completed', { ...DISK, tag: 1 }],
  [MAIN_LOOP, 10, 'kvm_msi_set_irq', { address: 0xfee00000n, data: 40 }],
  [MAIN_LOOP, 11, 'kvm_apic_accept_irq', { apicid: 0, dm: 0, tm: 0, vec: 40, accepted: true }],
  [VCPU, 6, 'sim:intack', { vcpu_id: 0, irqchip: 3, vector: 40 }],
  [VCPU, 12, 'kvm_inj_virq', { vector: 40, soft: false, reinjected: false }],
];

const caused = (at: number, cause: number): Row[] =>
  served.map(([source, was, kind, fields], seq) => [source, seq === at ? cause : was, kind, fields ?? {}]);

describe("a message of a disk's", () => {
  test('comes from the kick that brought the request, of several the first', () => {
    const { unexplained, counts } = interruptOrigins(events(served));
    expect(unexplained).toEqual([]);
    expect([...counts]).toEqual([['MSI, main-loop', 1]]);
  });

  test.each([
    ['another request', 10, 9],
    ['the second kick', 5, 3],
    ['nothing', 10, NONE],
  ])('that names %s is found', (_what, at, cause) => {
    expect(interruptOrigins(events(caused(at, cause))).unexplained).not.toEqual([]);
  });
});
