import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, map, take, toArray } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VOCABULARY } from '../../src/events/vocabulary.ts';
import type { MachineEvent, MachineState, OpenedTrace, Stamped } from '../../src/api/index.ts';
import { openTrace, record, rerun, textOf, TraceDamage } from '../../src/api/index.ts';
import { compress, createTraceFile, openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../src/replay/trace/writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-streams-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TRACE = join(folder, 'run.trace');
const OLD = join(import.meta.dirname, '../replay/trace/recorded/format-1.trace');
let recorded: readonly Stamped[];

beforeAll(async () => {
  await record({ wallClock: 1_700_000_000, ticks: 60_000, trace: TRACE });
  recorded = readAll(openTraceFile(TRACE)).events;
});

const all = (trace: OpenedTrace): Promise<Stamped[]> => lastValueFrom(trace.events$.pipe(toArray()));

/** Files this process has open, by what they are. */
const openFiles = (): string[] => readdirSync('/proc/self/fd').sort();

describe('a recorded run', () => {
  test('tells its events from the first, for each subscriber anew, after subscribe has returned', async () => {
    const trace = openTrace(TRACE);
    let hasReturned = false;
    trace.events$.pipe(take(1)).subscribe(() => expect(hasReturned).toBe(true));
    hasReturned = true;
    const [first, second] = await Promise.all([all(trace), all(trace)]);
    expect(first).toEqual(recorded);
    expect(second).toEqual(recorded);
    trace.close();
  });

  test('needs no image for its states', async () => {
    const moved = join(folder, 'moved.trace');
    rewrite(moved, recorded, (header) => ({ ...header.machine, paths: { kernel: '/nowhere/kernel.elf' } }));
    const trace = openTrace(moved);
    const state = await lastValueFrom(trace.states$);
    expect(state.at.seq).toBe(recorded.at(-1)?.seq);
    expect(trace.at(recorded[2000] as Stamped).state.at.seq).toBe(2000);
    trace.close();
  });

  test('comes out of a rerun as it was recorded', async () => {
    const { agreed, events, divergence } = await rerun(TRACE);
    expect({ agreed, divergence }).toEqual({ agreed: events, divergence: undefined });
  });

  test('stands while it is held', async () => {
    const trace = openTrace(TRACE);
    const seen: number[] = [];
    let hold: ReturnType<typeof trace.hold> | undefined;
    const over = new Promise<void>((resolve) => {
      trace.events$.subscribe({
        next({ seq }) {
          seen.push(seq);
          if (seq === 1234) hold = trace.hold();
        },
        complete: resolve,
      });
    });
    await new Promise((resolve) => void setTimeout(resolve, 60));
    expect(seen.at(-1)).toBe(1234);
    hold?.release();
    await over;
    expect(seen.length).toBe(recorded.length);
    trace.close();
  });

  test('goes on for the others when one reader fails and another leaves', async () => {
    const trace = openTrace(TRACE);
    let failure: unknown;
    let heard = 0;
    const failing = trace.states$.pipe(
      map(({ at }) => {
        if (at.seq === 1000) throw new Error('mine');
      }),
    );
    failing.subscribe({ error: (error: unknown) => void (failure = error) });
    const leaving = trace.events$.subscribe(({ seq }) => {
      heard += 1;
      if (seq === 1000) leaving.unsubscribe();
    });
    expect(await all(trace)).toEqual(recorded);
    expect(failure).toEqual(new Error('mine'));
    expect(heard).toBe(1001);
    trace.close();
  });

  test('leaves no file open once it is closed, nor where it could not be opened', () => {
    const before = openFiles();
    const trace = openTrace(TRACE);
    trace.events$.subscribe();
    expect(trace.at({ seq: 100, tick: 0 }).registers().rip).toBeTypeOf('bigint');
    expect(openFiles()).not.toEqual(before);
    trace.close();
    trace.close();
    expect(() => openTrace(import.meta.filename)).toThrow('is not a Retrovisor trace');
    expect(() => openTrace(folder)).toThrow('is not a file');
    expect(openFiles()).toEqual(before);
  });

  test('that was closed ends its streams', async () => {
    const trace = openTrace(TRACE);
    let seen = 0;
    const over = new Promise<void>((resolve) => trace.events$.subscribe({ next: () => seen++, complete: resolve }));
    trace.close();
    await over;
    expect(seen).toBe(0);
  });
});

describe('a trace that is not whole', () => {
  test('gives what it has, then says so by an error of its own', async () => {
    const cut = join(folder, 'cut.trace');
    const bytes = readFileSync(TRACE);
    const file = openTraceFile(TRACE);
    writeFileSync(cut, bytes.subarray(0, file.chunks.at(-1)!.offset + 100));
    file.close();
    const trace = openTrace(cut);
    const seen: Stamped[] = [];
    const error = await new Promise<unknown>((resolve) => {
      trace.events$.subscribe({ next: (stamped) => seen.push(stamped), error: resolve });
    });
    expect(error).toBeInstanceOf(TraceDamage);
    expect((error as TraceDamage).eventsRead).toBe(seen.length);
    expect((error as TraceDamage).message).toContain('is cut off at byte');
    expect(seen).toEqual(recorded.slice(0, seen.length));
    expect(seen.length).toBeGreaterThan(1000);
    const states: MachineState[] = [];
    await new Promise((resolve) => trace.states$.subscribe({ next: (state) => states.push(state), error: resolve }));
    expect(states.length).toBe(seen.length);
    trace.close();
  });

  test.each([
    ['memory', 65_536],
    ['smp', 1e9],
    ['serialLines', -1],
    ['nsPerTick', 1.3],
    ['nsPerTick', 1e18],
    ['digestEvery', Number.NaN],
    ['costs', 600],
  ])('or says that its machine had what none can have: %s %d', (field, value) => {
    const bad = join(folder, 'machine.trace');
    rewrite(bad, recorded.slice(0, 100), ({ machine }) => ({ ...machine, [field]: value }));
    expect(() => openTrace(bad)).toThrow(`The machine in the header of ${bad} cannot be read: ${field}`);
  });

  test('or holds what cannot have happened: a sentence that names the event', async () => {
    const bad = join(folder, 'impossible.trace');
    const { seq } = recorded.find(({ event }) => event.kind === 'kvm_entry') as Stamped;
    const changed = recorded.map((stamped) =>
      stamped.seq === seq ? ({ ...stamped, event: { ...stamped.event, vcpu_id: 77 } } as Stamped) : stamped,
    );
    rewrite(bad, changed);
    const trace = openTrace(bad);
    await expect(lastValueFrom(trace.states$)).rejects.toThrow(`Event ${seq}, kvm_entry, cannot follow`);
    trace.close();
  });
});

test('a trace that begins with what cannot be first is refused with a sentence', async () => {
  const bad = join(folder, 'first.trace');
  const event = { kind: 'ioctl:KVM_X86_SETUP_MCE', vcpu_id: 0, mcg_cap: 0n } as const;
  rewrite(bad, [{ ...(recorded[0] as Stamped), event }, ...recorded.slice(1, 100)]);
  const trace = openTrace(bad);
  await expect(lastValueFrom(trace.states$)).rejects.toThrow('Event 0, ioctl:KVM_X86_SETUP_MCE, cannot follow');
  trace.close();
});

describe('a trace of another time', () => {
  test('of the older format gives its events, and a sentence for its states', async () => {
    const trace = openTrace(OLD);
    expect((await all(trace)).length).toBe(trace.describe().events);
    expect(() => trace.at({ seq: 1, tick: 0 })).toThrow('is in trace format 1');
    await expect(lastValueFrom(trace.states$)).rejects.toThrow('is in trace format 1');
    trace.close();
  });

  test('with a kind nobody knows yet: kept, shown and folded as telling', async () => {
    const newer = join(folder, 'newer.trace');
    const kinds = VOCABULARY as unknown as Record<string, unknown>;
    kinds['kvm_future'] = { fields: { vcpu_id: 'u', what: 'text', wide: 'u64' }, print: () => '' };
    const event = { kind: 'kvm_future', vcpu_id: 1, what: 'comes', wide: 0x1234n } as unknown as MachineEvent;
    rewrite(newer, [...recorded.slice(0, 1000), { ...(recorded[1000] as Stamped), event }]);
    delete kinds['kvm_future'];
    const trace = openTrace(newer);
    const last = (await all(trace)).at(-1)?.event as MachineEvent;
    expect(last).toEqual({
      kind: 'sim:unknown',
      name: 'kvm_future',
      value: '{"vcpu_id":1,"what":"comes","wide":"0x1234"}',
    });
    expect(textOf(last)).toContain('kvm_future');
    const { at, ...state } = trace.at({ seq: 1000, tick: 0 }).state;
    const { at: before, ...unchanged } = trace.at({ seq: 999, tick: 0 }).state;
    expect(state).toEqual(unchanged);
    expect([before.seq, at.seq]).toEqual([999, 1000]);
    trace.close();
  });
});

type Header = ReturnType<typeof openTraceFile>['header'];

/** The recorded run with other events, or another machine in its header. */
function rewrite(
  path: string,
  events: readonly Stamped[],
  machineOf: (header: Header) => Readonly<Record<string, unknown>> = ({ machine }) => machine,
): void {
  const from = openTraceFile(TRACE);
  const { engineVersion, images, seed } = from.header;
  const sink = createTraceFile(path);
  const writer = createTraceWriter(sink, compress, { engineVersion, images, seed, machine: machineOf(from.header) });
  for (const stamped of events) writer.append(stamped);
  writer.close();
  sink.close();
  from.close();
}
