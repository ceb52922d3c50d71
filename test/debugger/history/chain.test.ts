import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { showEvents } from '../../../src/cli/tour-events.ts';
import { type Effect, chainOf, effectsOf, timerInterrupt } from '../../../src/debugger/history/chain.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { type MachineState, openTrace } from '../../../src/api/index.ts';
import { configurationOf, readDescription } from '../../../src/runs/machine/machine-description.ts';
import { compress, createTraceFile, openTraceFile } from '../../../src/host/trace-file.ts';
import { powerOn } from '../../../src/reducers/power-on.ts';
import { seal } from '../../../src/reducers/seal.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../../src/replay/trace/writer.ts';
import { scratchFolder } from '../../guests/command-line.ts';

const TRACE = join(import.meta.dirname, '../../../traces/tour.trace');
const folder = scratchFolder();
const { header } = openTraceFile(TRACE);
const { events } = readAll(openTraceFile(TRACE));

/** The recorded run with other events, as a trace of its own. */
function traceOf(name: string, changed: readonly Stamped[]): string {
  const path = join(folder, name);
  const sink = createTraceFile(path);
  const { engineVersion, images, seed, machine } = header;
  const writer = createTraceWriter(sink, compress, { engineVersion, images, seed, machine });
  for (const stamped of changed) writer.append(stamped);
  writer.close();
  sink.close();
  return path;
}

/** A state with the fields of an effect as they were, or as they became. */
function withFields(state: MachineState, { changed }: Effect, side: 'left' | 'right'): unknown {
  const copy = structuredClone({ ...state, at: undefined }) as object;
  for (const { path, [side]: value } of changed) {
    const names = path.split('.');
    const last = names.pop() as string;
    const holder = names.reduce<Record<string, unknown>>((at, name) => at[name] as typeof at, copy as never);
    if (value === undefined) delete holder[last];
    else holder[last] = value;
  }
  return copy;
}

const lines = (path: string): { status: number; said: string[] } => {
  const said: string[] = [];
  return { status: showEvents(path, (line) => said.push(line)), said };
};

describe('the chain of causes', () => {
  const chain = timerInterrupt(events) as Stamped[];

  test("of a timer's interrupt begins at the guest's own write and leads through the timer it armed", () => {
    const [write] = chain;
    expect(events[(write as Stamped).seq + 1]?.event).toMatchObject({ kind: 'kvm_pio', rw: 1, port: 0x40 });
    for (const [index, { cause }] of chain.entries()) expect(cause).toBe(chain[index - 1]?.seq);
    const [arm, fire] = chain.filter(({ event }) => event.kind === 'sim:timer_arm' || event.kind === 'sim:timer_fire');
    expect({ ...fire?.event, kind: arm?.event.kind }).toEqual(arm?.event);
    expect(chain.at(-1)?.event.kind).toBe('kvm_inj_virq');
  });

  test('ends at what has no cause, and is the event alone where that has none', () => {
    const first = events[0] as Stamped;
    expect(chainOf(events, first)).toEqual([first]);
    expect(chain[0]?.cause).toBeUndefined();
  });

  test('is not there in a run without timers', () => {
    expect(timerInterrupt(events.slice(0, 5000))).toBeUndefined();
  });

  test('with what each event changed: these fields, and no others', () => {
    const made = configurationOf(readDescription(header.machine, TRACE));
    const effects = effectsOf(seal(undefined, powerOn(made)), events, chain);
    const trace = openTrace(TRACE);
    const stateAt = (seq: number): MachineState => trace.at(events[seq] as Stamped).state;
    expect(effects.map(({ stamped }) => stamped)).toEqual(chain);
    for (const effect of effects) {
      const { seq } = effect.stamped;
      expect(effect.changed.length).toBeGreaterThan(0);
      expect(withFields(stateAt(seq - 1), effect, 'right')).toEqual({ ...stateAt(seq), at: undefined });
      expect(withFields(stateAt(seq), effect, 'left')).toEqual({ ...stateAt(seq - 1), at: undefined });
    }
    trace.close();
  });
});

describe('the events of the tour', () => {
  test('are shown with their causes, and amount to the state of the machine', () => {
    const { status, said } = lines(TRACE);
    expect(status).toBe(0);
    for (const { seq, event } of timerInterrupt(events) as Stamped[]) {
      expect(
        said.filter((line) => line.startsWith(`  ${String(seq).padStart(6)} `) && line.includes(event.kind)),
      ).toHaveLength(1);
    }
    expect(said.slice(-4).join('\n')).toContain(`All ${events.length} events`);
    expect(Math.max(...said.map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test('are said not to amount to it where one of them is another', () => {
    const at = events.findIndex(({ event }) => event.kind === 'sim:pit_load');
    const other = events.map((stamped, seq) =>
      seq === at && stamped.event.kind === 'sim:pit_load'
        ? { ...stamped, event: { ...stamped.event, count: stamped.event.count + 1 } }
        : stamped,
    );
    const { status, said } = lines(traceOf('other.trace', other));
    expect(status).toBe(3);
    expect(said.at(-1)).toMatch(/differs from the machine at event \d+: .*\bpit\b/);
  });
});
