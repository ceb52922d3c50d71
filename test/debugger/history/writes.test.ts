import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../../src/base/work.ts';
import {
  type Followed,
  followedRegister,
  followedState,
  hearAllChanges,
  lastChange,
} from '../../../src/debugger/history/changes.ts';
import { type GuestView, registersOf } from '../../../src/machine/guest-view.ts';
import {
  bytesIn,
  type Change,
  hearAllWrites,
  lastWrite,
  type MemoryWrite,
  type Piece,
  piecesOf,
} from '../../../src/debugger/history/memory-writes.ts';
import { endOf } from '../../../src/replay/places.ts';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import { evaluate } from '../../../src/debugger/look/vantage.ts';
import type { DebugSession } from '../../../src/debugger/session.ts';
import { hereOf } from '../../../src/debugger/stops/windows.ts';
import { firstOf, LONG } from '../../how-long.ts';
import { lookEverywhere } from '../naive-scan.ts';
import { debugTour, recordTour, traceFolder } from '../recorded-tour.ts';

const folder = traceFolder();
let session: DebugSession;
let naive: DebugSession;
let end = 0;

beforeAll(() => {
  const trace = join(folder, 'tour.trace');
  recordTour(trace, ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'], 700_000);
  session = debugTour(trace);
  naive = debugTour(trace);
  end = endOf(session.run.events).tick;
});

function allWrites(session: DebugSession, pieces: readonly Piece[]): MemoryWrite[] {
  const writes: MemoryWrite[] = [];
  finish(hearAllWrites(session, pieces, (write) => void writes.push(write)));
  return writes;
}

function allChanges(session: DebugSession, followed: Followed): Change[] {
  const changes: Change[] = [];
  finish(hearAllChanges(session, followed, (change) => void changes.push(change)));
  return changes;
}

/** What a history says a value is at a place. */
type ValueAt = (changes: readonly Change[], first: string, tick: number, seq: number) => string;

const valueAt: ValueAt = (changes, first, tick, seq) =>
  changes.findLast((change) => change.tick < tick || (change.tick === tick && change.seq < seq))?.after ?? first;

/** A register's change counts the tick of the instruction that made it. */
const registerAt: ValueAt = (changes, first, tick, seq) =>
  changes.findLast((change) => change.tick < tick || (change.tick === tick && change.seq <= seq))?.after ?? first;

/** A history says of every place in a part of the run what is there. */
function expectHistory(
  changes: readonly Change[],
  read: (view: GuestView) => string,
  [from, to]: readonly [number, number],
  at: ValueAt = valueAt,
): void {
  const first = changes[0]?.before ?? '';
  const wrong: unknown[] = [];
  const near = changes.filter(({ tick }) => tick >= from - 100 && tick <= to);
  const start = changes.findLast(({ tick }) => tick < from - 100)?.after ?? first;
  lookEverywhere(
    naive,
    to,
    (view, tick, seq) => {
      const told = at(near, start, tick, seq);
      if (changes.length > 0 && told !== read(view)) wrong.push({ tick, seq, told, is: read(view) });
    },
    from,
  );
  expect(wrong.slice(0, 3)).toEqual([]);
}

const pieces = (address: bigint | number, length: number): Piece[] =>
  piecesOf(session.view, 0, BigInt(address), length, 'physical');

const goTo = (tick: number): void => {
  session.goTo(tick);
  session.follow(session.traveller.go(tick));
};

describe('the writes to memory', () => {
  test('by instructions, pushes and exception frames say what is there at every place', () => {
    goTo(9_000);
    const stack = evaluate(session, '$rsp - 8');
    const writes = allWrites(session, pieces(stack, 8));
    expect(writes.some(({ by }) => by === 'delivery')).toBe(true);
    expect(writes.every((write, at) => at === 0 || write.before === writes[at - 1]!.after)).toBe(true);
    expectHistory(writes, (view) => bytesIn(view, pieces(stack, 8)), [0, 16_000]);
  });

  test('by the page walk are the accessed and dirty bits of entries', () => {
    goTo(9_000);
    const cr3 = evaluate(session, '$cr3');
    const table = evaluate(session, `p64[${cr3}] & ~0xfff`);
    const entry = evaluate(session, `p64[${table}] & ~0xfff`);
    const watched = pieces(entry, 64);
    const writes = allWrites(session, watched);
    expect(writes.filter(({ by }) => by === 'walk').length).toBeGreaterThan(0);
    expectHistory(writes, (view) => bytesIn(view, watched), [0, 12_000]);
  });

  test('by KVM are named with what made it write', () => {
    const update = session.run.events.find(({ event }) => event.kind === 'kvm_pvclock_update');
    expect(update).toBeDefined();
    const before = (update?.seq ?? 0) + 3;
    const msr = session.run.events.findLast(({ event, seq }) => event.kind === 'kvm_msr' && seq < before);
    const gpa = msr?.event.kind === 'kvm_msr' ? msr.event.data & ~1n : 0n;
    const { tick = 0 } = update ?? {};
    const writes = allWrites(session, pieces(gpa, 32));
    expect(writes.filter(({ by }) => by === 'outside').length).toBeGreaterThan(0);
    expectHistory(writes, (view) => bytesIn(view, pieces(gpa, 32)), [tick - 500, Math.min(end - 1, tick + 1500)]);
    answerPrompt(session, 'at end');
    expect(answerPrompt(session, `why phys:${gpa}/32`)).toMatch(/outside the guest, with .*kvm_pvclock_update/);
  });

  test('end with the one `why` names, before any place', () => {
    goTo(9_000);
    const stack = evaluate(session, '$rsp - 8');
    const watched = pieces(stack, 8);
    const writes = allWrites(session, watched);
    for (const tick of [15_500, 12_000, 9_000, 4_321]) {
      goTo(tick);
      const expected = writes.findLast((write) => write.tick < tick);
      expect(finish(lastWrite(session, watched, hereOf(session)))).toEqual(expected);
    }
  });

  test('of linear memory are the same through another address of it', () => {
    goTo(9_000);
    const stack = evaluate(session, '$rsp - 8');
    const linear = piecesOf(session.view, 0, stack, 8, 'linear');
    expect(linear).toEqual(pieces(stack, 8));
    expect(() => piecesOf(session.view, 0, 0xffff_8000_0000_0000n, 8, 'linear')).toThrow('is not mapped');
    expect(() => pieces(0xf000_0000, 8)).toThrow('There is no memory');
  });
});

describe('the changes', () => {
  test.each(firstOf(2, ['rsp', 'cr3', 'r12', 'rflags']))('of %s say what it is at every place', LONG, (name) => {
    const changes = allChanges(session, followedRegister(session, name, 0));
    expect(changes.length).toBeGreaterThan(0);
    const read = (view: GuestView): string => {
      const registers = registersOf(view, 0);
      const value = name === 'rsp' ? registers.gpr(4) : name === 'r12' ? registers.gpr(12) : registers[name as 'cr3'];
      return `0x${value.toString(16)}`;
    };
    expectHistory(changes, read, [0, 6_000], registerAt);
    expectHistory(changes, read, [12_500, 13_500], registerAt);
    goTo(13_000);
    expect(finish(lastChange(session, followedRegister(session, name, 0), hereOf(session)))).toEqual(
      changes.findLast(({ tick, seq }) => tick < 13_000 || (tick === 13_000 && seq <= session.now.seq)),
    );
  });

  const FIELDS = ['kvm.vcpus.0.mpState', 'kvm.vm.irqchip.lapics.0.svr', 'kvm.vcpus.0.exits', 'schedule.entrySeq.0'];
  test.each(firstOf(2, FIELDS))('of the state field %s say what it is at every place', (path) => {
    const changes = allChanges(session, followedState(session, path));
    const { read } = followedState(naive, path);
    expectHistory(changes, read, [0, 3_000]);
  });
});
