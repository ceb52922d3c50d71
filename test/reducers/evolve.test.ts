import { produce } from 'immer';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EventKind } from '../../src/events/vocabulary.ts';
import { evolve, reduce } from '../../src/reducers/evolve.ts';
import { powerOn } from '../../src/reducers/power-on.ts';
import { bitsOf, OWNERS, type Row } from '../../src/reducers/row.ts';
import { differenceOf, isSame } from '../../src/reducers/seal.ts';
import { differingSlices, digestSlices, SliceDigests, slicesOf } from '../../src/reducers/slices.ts';
import type { MachineState } from '../../src/reducers/state.ts';
import { REDUCERS } from '../../src/reducers/table/index.ts';
import { countingMachine, countingMade } from '../machine/counting.ts';
import { inputQueue, typed } from '../machine/pc.ts';
import { scriptedMade, scriptedRun } from '../machine/scripted.ts';

const SMP = 3;
const rowOf = (kind: EventKind): Row<EventKind> => REDUCERS[kind] as Row<EventKind>;

/** Everything but the place a run has come to. */
const held = ({ at: _, ...rest }: MachineState): object => rest;

/** Paths of what in a value can be changed. */
function openParts(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = Object.isFrozen(value) || Object.keys(value).length === 0 ? [] : [path];
  return [...own, ...Object.entries(value).flatMap(([key, each]) => openParts(each, `${path}.${key}`))];
}

/** A guest with timers and interrupts, and one that touches everything. */
function countingRun() {
  const inputs = inputQueue([typed('ab', { ns: 200_000 }), typed('\x1b', { ns: 600_000 })]);
  const run = countingMachine({ vcpus: SMP, inputs });
  run.machine.advance({});
  return run;
}

describe.each([
  ['a script', () => scriptedRun(SMP), scriptedMade(SMP)],
  ['the counting guest', countingRun, countingMade(SMP)],
])('the table of reducers, by a run of %s', (_, run, made) => {
  const live = run();
  /** The state before each event. */
  const before: MachineState[] = [];
  let end: MachineState;

  beforeAll(() => {
    end = powerOn(made);
    for (const stamped of live.events) {
      before.push(end);
      end = reduce(end, stamped);
    }
  });

  test('gives the state the machine has, by values as in place', () => {
    expect(differenceOf(end, live.machine.state)).toBeUndefined();
    expect(end.at).toEqual({ seq: live.events.length - 1, tick: live.events.at(-1)?.tick });
  });

  test('leaves the state before as it was, and shares with it what did not change', () => {
    const copies = [100, 2000, 5000].map((at) => structuredClone(before[at]));
    expect(copies).toEqual([before[100], before[2000], before[5000]]);
    expect(before.slice(1).every((state) => Object.isFrozen(state))).toBe(true);
    expect(Object.isFrozen(before[2000]!.kvm.vcpus)).toBe(true);
    const taken = live.events.findIndex(({ event }) => event.kind === 'sim:serial_received');
    expect(before[taken + 1]!.vmm.devices.serial0).not.toBe(before[taken]!.vmm.devices.serial0);
    expect(before[taken + 1]!.vmm.devices.hpet).toBe(before[taken]!.vmm.devices.hpet);
    expect(before[taken + 1]!.kvm).toBe(before[taken]!.kvm);
  });

  test('is frozen in every part: who has a state cannot change it', () => {
    for (const state of [before[1], before[2000], end]) expect(openParts(state, 'state')).toEqual([]);
  });

  test('changes only what the owners of a kind hold', () => {
    const slices = slicesOf(end.config);
    const astray = live.events.flatMap(({ event }, at) => {
      const [old, now] = [before[at]!, before[at + 1] ?? end];
      const { ownerBits } = rowOf(event.kind);
      return slices
        .filter((slice) => (slice.ownerBits & ownerBits) === 0 && !isSame(slice.read(old), slice.read(now)))
        .map(({ name }) => `${event.kind} changes ${name}`);
    });
    expect([...new Set(astray)]).toEqual([]);
  });

  test('has a bit for each owner', () => {
    expect(new Set(OWNERS.map((owner) => bitsOf(owner))).size).toBe(OWNERS.length);
    for (const { name, ownerBits } of slicesOf(end.config)) {
      const owners = OWNERS.filter((owner) => (bitsOf(owner) & ownerBits) !== 0);
      expect(owners, name).toHaveLength(name.startsWith('vcpu') || name === 'board' ? 2 : 1);
    }
    for (const { owners, ownerBits } of Object.values(REDUCERS)) expect(ownerBits).toBe(bitsOf(...owners));
  });

  test('has every part of the state in a slice', () => {
    const slices = slicesOf(end.config);
    const { config: _, ...parts } = held(before[3000]!) as MachineState;
    const unseen = live.events.flatMap(({ event }, at) => {
      const [old, now] = [before[at]!, before[at + 1] ?? end];
      const isMoved = Object.keys(parts).some((part) => !isSame(old[part as 'clock'], now[part as 'clock']));
      return isMoved && slices.every(({ read }) => isSame(read(old), read(now))) ? [event.kind] : [];
    });
    expect([...new Set(unseen)]).toEqual([]);
  });

  test('skips an event only where it changes nothing', () => {
    let skipped = 0;
    for (const [at, stamped] of live.events.entries()) {
      if (rowOf(stamped.event.kind).isIdle?.(before[at]!, stamped.event) !== true) continue;
      skipped += 1;
      const worked = produce(before[at]!, (draft) => void evolve(draft, stamped));
      expect(differenceOf(held(worked), held(before[at]!)), stamped.event.kind).toBeUndefined();
    }
    expect(skipped).toBeGreaterThan(100);
  });

  test('digests of slices, looked at only where an owner changed, are those of all', () => {
    const digests = new SliceDigests(before[0]!);
    for (const [at, { event }] of live.events.entries()) {
      digests.touch(rowOf(event.kind).ownerBits);
      if (at % 997 !== 0) continue;
      const state = before[at + 1] ?? end;
      expect(differingSlices(state.config, digests.take(state), digestSlices(state))).toEqual([]);
    }
  });

  test('a digest names the slices that differ', () => {
    const changed = { ...end, clock: { ...end.clock, warpedNs: 1 } };
    expect(differingSlices(end.config, digestSlices(end), digestSlices(changed))).toEqual(['clock']);
  });
});
