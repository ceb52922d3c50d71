import { describe, expect, test } from 'vitest';
import { type Stamped, vcpuSource } from '../../src/events/stamped.ts';
import type { Origin } from '../../src/events/origin.ts';
import type { KvmKernel } from '../../src/kvm/api.ts';
import type { Processor, TracedGuest } from '../../src/kvm/processor.ts';
import type { Emulated, Guest, Registers } from '../../src/x86/guest.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { Engine, MachineParts } from '../../src/machine/parts.ts';
import { tapeEngine } from '../../src/replay/tape.ts';
import type { Vmm } from '../../src/vmm/index.ts';
import { LEAST } from '../vmm/bench.ts';
import { pcOn } from './pc.ts';

const EXIT = {
  reason: 48,
  qualification: 0x81n,
  instructionLength: 3,
  instructionInfo: 7,
  interruptionInfo: 0,
  interruptionErrorCode: 0,
  idtVectoringInfo: 0x80000b0e,
  idtVectoringErrorCode: 2,
  guestLinearAddress: 0xffff800000000000n,
  guestPhysicalAddress: 0x12345000,
};

const EMULATED: readonly Emulated[] = [
  {
    then: 'done',
    breakpoints: 5,
    writes: [
      { gpa: 0xfee000b0, bytes: Uint8Array.of(1, 2, 3, 4) },
      { gpa: 2 ** 40, bytes: Uint8Array.of(9) },
    ],
  },
  { then: 'read', gpa: 0xfec00010, length: 4 },
  { then: 'in', port: 0x1f0, size: 2, count: 256 },
  { then: 'out', port: 0x3f8, size: 1, bytes: Uint8Array.of(65), breakpoints: 0 },
  { then: 'exit', exit: EXIT },
  { then: 'failed' },
];

function guestOf(): Engine {
  const kept = new Map<number, bigint>([[0xc0000081, 5n]]);
  const registers = {
    gpr: (index: number) => BigInt(index) << 60n,
    setGpr: () => undefined,
    rip: 0xfff0n,
    rflags: 2n,
    cr0: 0x60000010n,
    cr2: 0n,
    cr3: 0x1000n,
    cr4: 0n,
    cr8: 3,
    efer: 0x500n,
    xcr0: 1n,
    segment: () => ({ selector: 0xf000, base: 0xffff0000n, limit: 0xffff, access: 0x9b }),
    setSegment: () => undefined,
    gdtr: { base: 0x1000n, limit: 0x7f },
    idtr: { base: 0n, limit: 0x3ff },
    dr: () => 0xffff0ff0n,
    setDr: () => undefined,
    msr: (index: number) => kept.get(index),
    setMsr: (index: number) => kept.has(index),
    xsave: () => Uint8Array.of(1, 2, 3),
    setXsave: () => undefined,
    interruptibility: 8,
    activity: 1,
  } as unknown as Registers;
  let next = 0;
  return {
    registers: () => registers,
    addVcpu: () => 0,
    regions: [],
    emulate: () => EMULATED[next++],
    taskSwitch: () => ({ then: 'done', vector: 0, errorCode: 0, address: 0n }),
    readHost: () => Uint8Array.of(7, 8),
    translate: (_: number, linear: bigint) => (linear === 0n ? undefined : { gpa: 0x5000, entries: [1n, 2n ** 63n] }),
  } as unknown as Engine;
}

/** Everything a hypervisor may ask, asked. */
function askEverything(guest: Guest): unknown[] {
  const vcpu = guest.addVcpu();
  const r = guest.registers(vcpu);
  return [
    vcpu,
    r.gpr(15),
    r.rip,
    r.rflags,
    r.cr0,
    r.cr2,
    r.cr3,
    r.cr4,
    r.cr8,
    r.efer,
    r.xcr0,
    r.segment(1),
    r.gdtr,
    r.idtr,
    r.dr(6),
    r.msr(0xc0000081),
    r.msr(0x10),
    r.setMsr(0xc0000081, 1n),
    r.setMsr(0x10, 1n),
    r.xsave(),
    r.interruptibility,
    r.activity,
    ...EMULATED.map(() => guest.emulate(0, [], () => -1)),
    guest.taskSwitch(0, { selector: 8, source: 0, errorCode: undefined }, () => -1),
    guest.readHost(0, 2),
    guest.translate(0, 0n),
    guest.translate(0, 5n),
  ];
}

/** A machine of a processor alone: tests are its hypervisor. */
function processorOf(engine: MachineParts['engine']) {
  const events: Stamped[] = [];
  const met: { processor?: Processor; origin?: Origin } = {};
  const machine: Machine = pcOn(LEAST, {
    engine,
    kvm: (processor) => {
      met.processor = processor;
      return {} as KvmKernel;
    },
    vmm: (_kernel, _host, origin) => {
      met.origin = origin;
      return {} as Vmm;
    },
    onEvent: (stamped) => void events.push(stamped),
  });
  met.origin!.raise({ kind: 'ioctl:KVM_CREATE_VM', fd: 10, ns: 0, tsc: 0n });
  met.origin!.raise({ kind: 'ioctl:KVM_CREATE_VCPU', vcpu_id: 0, id: 0, fd: 11 });
  const guest: TracedGuest = met.processor!.from(met.origin!);
  return { machine, processor: met.processor!, guest, origin: met.origin!, events };
}

describe("a processor's answers", () => {
  test('are facts, from which a tape answers the same', () => {
    const live = processorOf(guestOf);
    const answers = askEverything(live.guest);
    const again = processorOf((time) => tapeEngine(live.events, time, undefined, 4));
    expect(askEverything(again.guest)).toEqual(answers);
    expect(again.events).toEqual(live.events);
    // One instruction emulated, and a task switched.
    expect([live.machine.ticks, again.machine.ticks]).toEqual([2, 2]);
  });

  test('come from whoever asks, within what it is asked for', () => {
    const { processor, origin, events } = processorOf(guestOf);
    const asked = origin.raise({ kind: 'sim:mmap', fd: 'pc.ram', len: 4096, hva: 0 });
    processor
      .from(origin.by(vcpuSource(0)).inside(asked))
      .registers(0)
      .gpr(3);
    expect(events.at(-1)).toMatchObject({
      source: 16,
      within: asked,
      cause: asked,
      event: { kind: 'sim:register_read', vcpu_id: 0, name: 'gpr3' },
    });
  });

  test('a tape says when it is asked for what was not recorded', () => {
    const event = { kind: 'sim:memory_read', hva: 0, bytes: Uint8Array.of(1) } as const;
    const recorded = [{ seq: 12, tick: 0, source: 16, cause: undefined, within: undefined, event }];
    const { guest } = processorOf((time) => tapeEngine(recorded, time, undefined, 4));
    expect(() => guest.registers(0).cr3).toThrow('asked for register cr3 and answered something else');
  });
});
