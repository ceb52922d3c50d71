import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { record } from '../../../src/api/index.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { nextToComplete } from '../../../src/vmm/drives/due.ts';
import { drivesAtPowerOn, submitted } from '../../../src/vmm/evolve/drives.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { LONG } from '../../how-long.ts';
import { ask, AT, blockGuest, DRAINED, installBlockPorts, print, store, WAIT } from './block-ports.ts';

const folder = scratchFolder();
const SECTORS = 256;
let remove: () => void;
beforeAll(() => void (remove = installBlockPorts()));
afterAll(() => remove());

let runs = 0;

/** What a program does to a disk of so many sectors that holds the letter B everywhere. */
async function ran(program: readonly number[], said = '', costs = {}): Promise<{ console: string; events: Stamped[] }> {
  runs += 1;
  const [kernel, image, trace] = ['bin', 'raw', 'trace'].map((end) => join(folder, `${runs}.${end}`)) as [
    string,
    string,
    string,
  ];
  writeFileSync(kernel, blockGuest(program));
  writeFileSync(image, Buffer.alloc(SECTORS * 512, 'B'));
  const devices = ['isa-debug-exit,iobase=0xf4,iosize=4', 'pc-testdev,drive=d0'];
  const run = {
    kernel,
    devices,
    drives: [`file=${image},if=none,id=d0${said}`],
    memory: 4,
    wallClock: 1,
    costs,
    trace,
  };
  const { console } = await record(run);
  return { console, events: [...readAll(openTraceFile(trace)).events] };
}

const brief = (events: readonly Stamped[]): string[] =>
  events.flatMap(({ event }) => {
    if (event.kind === 'sim:disk_completed') return [`${event.tag} ${event.result}`];
    if (event.kind === 'sim:disk_flushed') return [`flushed ${event.changes}`];
    if (event.kind === 'sim:disk_written') return [`written ${event.offset} ${event.len}`];
    return event.kind === 'sim:disk_cleared' ? [`cleared ${event.offset} ${event.len}`] : [];
  });

describe('requests to a drive', () => {
  test('complete as they are due, and what they do is in the order in which they complete', async () => {
    const program = [
      ...store(AT.from, 0x43),
      ...ask('flush', 0, 0),
      ...ask('write', 8, 64),
      ...ask('read', 8, 1, AT.to),
      ...WAIT,
      ...print(AT.to),
      ...ask('read', 8, 1, AT.to),
      ...WAIT,
      ...print(AT.to),
    ];
    const { console, events } = await ran(program);
    expect(console).toBe('BC');
    expect(brief(events)).toEqual(['2 0', '1 0', 'written 4096 32768', '0 0', 'flushed 1', '3 0']);
    const due = events.flatMap(({ event }) => (event.kind === 'sim:disk_submitted' ? [[event.op, event.due]] : []));
    const cheap = await ran(program, '', { 'disk-access': 0, 'disk-kib': 0, 'disk-flush': 0 });
    const then = cheap.events.flatMap(({ event }) => (event.kind === 'sim:disk_submitted' ? [event.due] : []));
    expect(then.slice(0, 3).map((ns, at) => (due[at]![1] as number) - ns)).toEqual([100_000, 48_192, 40_128]);
  });

  test('complete at once when their device drains them, still because they were submitted', LONG, async () => {
    const { events } = await ran([...ask('read', 0, 1, AT.to), ...ask('flush', 0, 0), ...DRAINED]);
    expect(brief(events)).toEqual(['0 0', '1 0', 'flushed 0']);
    const [asked] = events.filter(({ event }) => event.kind === 'sim:disk_submitted');
    const [done] = events.filter(({ event }) => event.kind === 'sim:disk_completed');
    expect(done!.cause).toBe(asked!.seq);
    expect(events[done!.within!]!.event.kind).toBe('kvm_exit');
  });

  test(
    'that are durable by themselves flush what was written before, and nothing does where nobody wants it',
    LONG,
    async () => {
      const twice = [
        ...ask('write', 0, 1),
        ...WAIT,
        ...ask('write', 1, 1, AT.from, true),
        ...WAIT,
        ...ask('flush', 0, 0),
        ...WAIT,
      ];
      const written = ['0 0', 'written 0 512', '1 0', 'written 512 512'];
      expect(brief((await ran(twice)).events)).toEqual([...written, 'flushed 2', '2 0', 'flushed 0']);
      expect(brief((await ran(twice, ',cache=unsafe')).events)).toEqual([...written, '2 0']);
    },
  );

  test('beyond its end fail, as do changes of what is read-only', LONG, async () => {
    const program = [
      ...ask('read', SECTORS, 1),
      ...WAIT,
      ...ask('write', SECTORS - 1, 2),
      ...WAIT,
      ...ask('write', 0, 1),
      ...WAIT,
    ];
    expect(brief((await ran(program)).events)).toEqual(['0 -5', '1 -5', '2 0', 'written 0 512']);
    expect(brief((await ran(program, ',readonly=on')).events)).toEqual(['0 -5', '1 -5', '2 -1']);
  });

  test('clear it, in the middle of pages too', LONG, async () => {
    const look = (sector: number): number[] => [...ask('read', sector, 1, AT.to), ...WAIT, ...print(AT.to)];
    const program = [...ask('write-zeroes', 3, 9), ...WAIT, ...[2, 3, 11, 12].flatMap(look)];
    const { console, events } = await ran(program);
    expect(console).toBe('B\0\0B');
    expect(brief(events).slice(0, 2)).toEqual(['0 0', 'cleared 1536 4608']);
    const discard = [...ask('discard', 0, 8), ...WAIT, ...look(0)];
    expect((await ran(discard)).console).toBe('B');
    expect((await ran(discard, ',discard=unmap')).console).toBe('\0');
  });
});

test('of requests due at once the one submitted first completes first, whichever drive it is for', () => {
  const drive = { sectors: 1, readOnly: false, writeCache: true, serial: '' };
  const drives = drivesAtPowerOn([
    { ...drive, id: 'a' },
    { ...drive, id: 'b' },
  ]);
  const vmm = { drives } as unknown as Parameters<typeof submitted>[0];
  const event = { kind: 'sim:disk_submitted', dev: 'x', op: 'read', offset: 0, len: 512, fua: false } as const;
  for (const [seq, to, due] of [
    [1, 'b', 5],
    [2, 'a', 5],
    [3, 'a', 4],
    [4, 'b', 5],
    [5, 'b', 3],
  ] as const) {
    submitted(vmm, { ...event, drive: to, tag: seq, due }, { seq } as Stamped);
  }
  const order: number[] = [];
  for (let next = nextToComplete(vmm.drives); next !== undefined; next = nextToComplete(vmm.drives)) {
    order.push(next.tag);
    vmm.drives[next.drive]!.inFlight.shift();
  }
  expect(order).toEqual([5, 3, 1, 2, 4]);
});
