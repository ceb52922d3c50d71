import { describe, expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import type { Emulated, Guest, Registers } from '../../src/kvm/guest.ts';
import { packWrites, unpackWrites, witnessed } from '../../src/machine/witness.ts';
import { tapeEngine } from '../../src/replay/tape.ts';

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
    writes: [
      { gpa: 0xfee000b0, bytes: Uint8Array.of(1, 2, 3, 4) },
      { gpa: 2 ** 40, bytes: Uint8Array.of(9) },
    ],
  },
  { then: 'read', gpa: 0xfec00010, length: 4 },
  { then: 'in', port: 0x1f0, size: 2, count: 256 },
  { then: 'out', port: 0x3f8, size: 1, bytes: Uint8Array.of(65) },
  { then: 'exit', exit: EXIT },
  { then: 'failed' },
];

function guestOf(): Guest {
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
    emulate: () => EMULATED[next++],
    taskSwitch: () => ({ then: 'done', vector: 0, errorCode: 0, address: 0n }),
    readHost: () => Uint8Array.of(7, 8),
    translate: (_: number, linear: bigint) => (linear === 0n ? undefined : { gpa: 0x5000, entries: [1n, 2n ** 63n] }),
  } as unknown as Guest;
}

/** Everything a hypervisor may ask, asked. */
function askEverything(guest: Guest): unknown[] {
  const r = guest.registers(0);
  return [
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

const NO_TIME = {
  hostTsc: () => 0n,
  tscPerTick: 16,
  random: () => 0n,
  ticks: () => 0,
  tableWritten: () => undefined,
};

describe('a witnessed guest', () => {
  test('lets a tape answer everything the processor answered', () => {
    const events: Stamped[] = [];
    let retired = 0;
    const raise = (event: MachineEvent) =>
      void events.push({ seq: events.length, tick: 0, source: 16, cause: undefined, event });
    const live = witnessed(guestOf(), {
      raise,
      run: () => ({}) as never,
      setControls: () => undefined,
      retired: () => void (retired += 1),
    });
    const answers = askEverything(live);
    expect(askEverything(tapeEngine(events, NO_TIME, 4))).toEqual(answers);
    expect(retired).toBe(2);
  });

  test('a tape says when it is asked for what was not recorded', () => {
    const event = { kind: 'sim:memory_read', hva: 0, bytes: Uint8Array.of(1) } as const;
    const tape = tapeEngine([{ seq: 12, tick: 0, source: 16, cause: undefined, event }], NO_TIME, 4);
    expect(() => tape.registers(0).cr3).toThrow('asked for register cr3 and answered something else');
  });

  test('writes pack and unpack', () => {
    const writes = [{ gpa: 2 ** 51 + 1, bytes: Uint8Array.of(0, 255) }];
    expect(unpackWrites(packWrites(writes))).toEqual(writes);
    expect(unpackWrites(packWrites([]))).toEqual([]);
  });
});
