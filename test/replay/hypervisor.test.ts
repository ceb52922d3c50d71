import { describe, expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import { type KvmKernel, createKvm } from '../../src/kvm/kvm.ts';
import { restoreCheckpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { digestOf } from '../../src/base/digest.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import type { MachineParts, PendingInput } from '../../src/machine/parts.ts';
import { differenceOf } from '../../src/reducers/seal.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { fold } from '../../src/replay/fold.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { createVerifier, recordedInputs, replayTo } from '../../src/replay/verify.ts';
import { createMachinePc } from '../../src/vmm/index.ts';
import { inputQueue, typed } from '../reducers/fakes.ts';
import { scriptedEngine } from './scripted-engine.ts';

const OPTIONS = {
  machine: 'pc',
  memory: 16,
  bios: { name: 'bios.bin', bytes: new Uint8Array(65536).fill(0x90) },
  devices: [],
  serialLines: 1,
  noDefaults: false,
} as const;

type Outside = Pick<MachineParts, 'inputs' | 'onEvent'> & Partial<Pick<MachineParts, 'engine'>>;

/** The real hypervisor and devices over a processor that follows a script. */
function machineOf(smp: number, outside: Outside): Machine {
  return createMachine({
    engine: scriptedEngine,
    kvm: (guest, host) => createKvm(guest, host) as KvmKernel,
    vmm: (kvm, host) => createMachinePc(kvm, { ...OPTIONS, smp }, host),
    chance: CHANCE,
    seed: '3',
    wallClockAtPowerOn: 1_700_000_000_000_000_000n,
    vcpus: smp,
    digestEvery: 10_000,
    onRequest: () => undefined,
    ...outside,
  });
}

const END = 120_000;

function recorded(
  smp: number,
  pending: PendingInput[] = [typed('ls\n', { ns: 300_000 }), typed('x', { ns: 700_001 })],
) {
  const events: Stamped[] = [];
  const machine = machineOf(smp, { inputs: inputQueue(pending), onEvent: (stamped) => void events.push(stamped) });
  for (let tick = 0; tick <= END; tick += 3137) machine.advance({ tick });
  machine.advance({ seq: machine.state.schedule.seq + 20 });
  return { machine, events };
}

describe.each([1, 3])('the hypervisor and the devices of a pc with %i vCPUs', (smp) => {
  const live = recorded(smp);

  test('are exercised by the script: many kinds of events are raised', () => {
    const kinds = new Set(live.events.map(({ event }) => event.kind));
    expect([...kinds].length).toBeGreaterThan(25);
    expect(live.events.length).toBeGreaterThan(1000);
  });

  test('replay to the same events and digests', () => {
    const verifier = createVerifier(live.events);
    const machine = machineOf(smp, { inputs: recordedInputs(live.events), onEvent: verifier.check });
    const { divergence, agreed } = replayTo(machine, live.events, verifier);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(live.events.length);
  });

  test('fold from recorded events alone to the same state', () => {
    const { machine, divergence } = fold(live.events, (parts) => machineOf(smp, parts));
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(differenceOf(machine!.state, live.machine.state)).toBeUndefined();
    expect(digestOf(machine!.state)).toBe(digestOf(live.machine.state));
  });

  test('restored from a checkpoint anywhere, run on to the same events', () => {
    const again: Stamped[] = [];
    const machine = machineOf(smp, {
      inputs: recordedInputs(live.events),
      onEvent: (stamped) => void again.push(stamped),
    });
    for (const tick of [10_000, 33_333, 60_007, 99_999]) {
      machine.advance({ tick });
      const kept = takeCheckpoint(machine);
      machine.advance({ tick: tick + 15_000 });
      restoreCheckpoint(machine, kept);
      again.splice(kept.seq);
    }
    machine.advance({ seq: live.events.length });
    const at = again.findIndex((stamped, i) => i < live.events.length && stamped.tick !== live.events[i].tick);
    expect(at).toBe(-1);
    const verifier = createVerifier(live.events);
    for (const stamped of again) verifier.check(stamped);
    expect(verifier.divergence === undefined ? '' : describeDivergence(verifier.divergence)).toBe('');
  });
});
