import { expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import type { EventKind, EventOf, MachineEvent } from '../../src/events/vocabulary.ts';
import { tapeEngine } from '../../src/replay/tape.ts';
import { scriptedRun } from '../machine/scripted.ts';

const { events } = scriptedRun(1);

/** A recorded answer, with some of it changed. */
function answer<K extends EventKind>(kind: K, change: Partial<EventOf<K>>): Stamped {
  const stamped = events.find(({ event }) => event.kind === kind) as Stamped;
  return { ...stamped, event: { ...(stamped.event as object), ...change } as EventOf<K> };
}

/** An event as it stands in a trace. */
const told = (event: MachineEvent): Stamped => ({ ...events[0]!, event });

const TIME = {
  ticks: () => 0,
  now: () => 0,
  hostTsc: () => 0n,
  tscPerTick: 16,
  random: () => 0n,
  tableWritten: () => undefined,
};

test('a tape knows CR8 as the guest left it, after an instruction was emulated too', () => {
  const exit = answer('kvm_exit', { ticks: 5, cr8: 3, guest_rip: 0x1000n });
  const emulated = answer('sim:emulated', { vcpu_id: 0, then: 'in', rip: 0x1000n });
  const engine = tapeEngine([exit, emulated], TIME);
  engine.addVcpu();
  expect(engine.run(0, 100, { info: 0, errorCode: 0, length: 0 }).cr8).toBe(3);
  engine.emulate(0, [], { read: () => undefined, write: () => undefined } as never);
  expect(engine.registers(0).cr8).toBe(3);
  expect(engine.registers(0).rip).toBe(0x1000n);
});

test('a run that is cut just before a recorded draw goes on with it', () => {
  const drawn = { ...answer('sim:random_drawn', {}), tick: 40 };
  const exit = answer('kvm_exit', { ticks: 50 });
  const asked: number[] = [];
  let ticks = 0;
  const time = { ...TIME, ticks: () => ticks, random: (at: number) => BigInt(asked.push(ticks + at)) };
  const engine = tapeEngine([drawn, exit], time);
  engine.addVcpu();
  const run = (budget: number) => {
    const stop = engine.run(0, budget, { info: 0, errorCode: 0, length: 0 });
    ticks += stop.ticks;
    return stop.why;
  };
  expect([run(40), ticks, asked]).toEqual(['budget', 40, []]);
  expect([run(100), ticks, asked]).toEqual(['exit', 50, [40]]);
});

test('a run that is cut at the tick of its exit comes to it if nobody acted before', () => {
  const acted = told({ kind: 'sim:packets_offered', client: 'card' });
  const exit = answer('kvm_exit', { ticks: 50 });
  const run = (recorded: readonly Stamped[]) => {
    const engine = tapeEngine(recorded, TIME, () => 0);
    engine.addVcpu();
    return engine.run(0, 50, { info: 0, errorCode: 0, length: 0 }).why;
  };
  expect(run([told({ kind: 'sim:digest', slices: new Uint8Array(0) }), exit])).toBe('exit');
  expect(run([acted, exit])).toBe('budget');
});
