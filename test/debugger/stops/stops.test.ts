import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../../src/base/work.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { type GuestView, linearRip, physicalOf, readPhysical, registersOf } from '../../../src/machine/guest-view.ts';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import { evaluate } from '../../../src/debugger/look/vantage.ts';
import type { DebugSession } from '../../../src/debugger/session.ts';
import { findNext, findPrevious } from '../../../src/debugger/stops/stop-search.ts';
import { endOf } from '../../../src/replay/places.ts';
import { parseBreak, parseWatch, type Stop } from '../../../src/debugger/stops/stops.ts';
import { wordsIn } from '../../../src/debugger/stops/stop-words.ts';
import { fieldDifferences, snapshotOf } from '../../../src/debugger/history/state-difference.ts';
import { LONG } from '../../how-long.ts';
import { changesSeen, lookEverywhere, type Seen, ticksAt } from '../naive-scan.ts';
import { debugTour, recordRun, recordTour, traceFolder } from '../recorded-tour.ts';

/** A run without a time to end at is recorded up to its last event. */
let END = 0;
const folder = traceFolder();
let session: DebugSession;
let naive: DebugSession;

beforeAll(() => {
  const trace = join(folder, 'tour.trace');
  recordTour(trace, [], 16_000);
  session = debugTour(trace);
  naive = debugTour(trace);
  END = endOf(session.run.events).tick;
});

const breakAt = (text: string): Stop => parseBreak(text, wordsIn(session));
const watchAt = (text: string): Stop => parseWatch(text, wordsIn(session));

/** Sequence numbers of the events of every stop from here on, or back. */
function eventsMet(stops: readonly Stop[], find: typeof findNext): (number | undefined)[] {
  const found: (number | undefined)[] = [];
  for (let met = finish(find(session, stops)); met !== undefined; met = finish(find(session, stops)))
    found.push(met.event?.seq);
  return found;
}

/** Ticks of every stop from the beginning on; the session ends at the last. */
function forwards(stops: readonly Stop[], most = 50): number[] {
  session.goTo(0);
  const ticks: number[] = [];
  while (ticks.length < most && finish(findNext(session, stops)) !== undefined) ticks.push(session.now.tick);
  return ticks;
}

/** The same from here back to the beginning. */
function backwards(stops: readonly Stop[]): number[] {
  const ticks: number[] = [];
  while (finish(findPrevious(session, stops)) !== undefined) ticks.push(session.now.tick);
  return ticks;
}

/** Both ways over the first hits find what a look at every instruction finds. */
function expectStops(stop: Stop, expected: readonly number[], isData: boolean): void {
  expect(forwards([stop])).toEqual(expected.slice(0, 50));
  // From the last hit on back: data stops lie before the instruction.
  const back = expected.slice(0, 50).map((tick) => tick - (isData ? 1 : 0));
  if (!isData) back.pop();
  expect(backwards([stop])).toEqual(back.reverse());
}

const pcAt = (tick: number): bigint => {
  session.goTo(tick);
  session.follow(session.traveller.go(tick));
  return evaluate(session, '$pc');
};

test('events are said with and without the word, one kind or a family of them', () => {
  const met = (text: string): (number | undefined)[] => {
    session.goTo(0);
    return eventsMet([breakAt(text)], findNext);
  };
  const those = (begins: string): number[] =>
    session.run.events.flatMap(({ seq, event }) => (event.kind.startsWith(begins) ? [seq] : []));
  const family = met('kvm_mmu if level == 1');
  expect(family).toEqual(met('event kvm_mmu_* if level == 1'));
  expect(family.length).toBeGreaterThan(1);
  expect(those('kvm_mmu_')).toEqual(expect.arrayContaining(family));
  expect(met('kvm_pio at 0x3f8')).toEqual(met('event kvm_pio at 0x3f8'));
  expect(met('kvm_pio at 0x3f8').length).toBeGreaterThan(1);
  for (const text of ['kvm_nonsense', 'virtio_bl']) expect(() => breakAt(text)).toThrow('No symbol is named');
});

type EventCase = [string, (event: MachineEvent, tick: number) => boolean];

describe('a stop met in both directions', () => {
  test('at an instruction address, linear or physical, is where a look at every instruction finds it', LONG, () => {
    const address = pcAt(9_000);
    const expected = ticksAt(naive, END - 1, address);
    expect(expected.length).toBeGreaterThan(1);
    expectStops(breakAt(`${address}`), expected, false);
    const physical = physicalOf(session.view, 0, address);
    expectStops(breakAt(`phys:${physical}`), expected, false);
  });

  test('at an address in one address space is met only while CR3 points there', () => {
    const address = pcAt(9_000);
    const cr3 = evaluate(session, '$cr3');
    const count = ticksAt(naive, END - 1, address).length;
    expect(forwards([breakAt(`${address} cr3 ${cr3}`)])).toHaveLength(Math.min(50, count));
    expect(forwards([breakAt(`${address} cr3 ${cr3 + 0x1000n}`)])).toEqual([]);
  });

  test('at a change of a register is at every change and at no other instruction', () => {
    for (const name of ['cr3', 'cr0', 'r12']) {
      const expected = changesSeen(naive, END - 1, (view) => {
        const registers = registersOf(view, 0);
        return String(name === 'r12' ? registers.gpr(12) : registers[name as 'cr3']);
      }).map(({ after }) => after);
      expect(expected.length).toBeGreaterThan(0);
      expectStops(watchAt(`$${name}`), expected, true);
    }
  });

  test('at a write through physical memory is at every change of its bytes', () => {
    session.goTo(9_000);
    const stack = evaluate(session, '$rsp - 8');
    const gpa = physicalOf(session.view, 0, stack) as number;
    const changes = changesSeen(naive, END - 1, (view) => readPhysical(view, gpa, 8).join()).map(({ after }) => after);
    const linear = forwards([watchAt(`${stack}/8`)], 10_000);
    const physical = forwards([watchAt(`phys:${gpa}/8`)], 10_000);
    expect(physical).toEqual(linear);
    // An event KVM injects pushes its frame before the instruction that the look finds it after.
    const isHit = (tick: number) => physical.includes(tick) || physical.includes(tick - 1);
    expect(changes.filter((tick) => !isHit(tick))).toEqual([]);
    // Writes that change nothing are hits, too.
    expect(physical.length).toBeGreaterThanOrEqual(changes.length);
  });

  test('at a read or an access of bytes is met through linear and physical addresses alike', LONG, () => {
    session.goTo(9_000);
    const stack = evaluate(session, '$rsp - 8');
    const gpa = physicalOf(session.view, 0, stack) as number;
    for (const on of ['read', 'access']) {
      const linear = forwards([watchAt(`${stack}/4 ${on}`)]);
      expect(linear.length).toBeGreaterThan(2);
      expect(forwards([watchAt(`phys:${gpa}/4 ${on}`)])).toEqual(linear);
      // Before the instruction; a frame that KVM's injected event pushed lies within the tick.
      const back = backwards([watchAt(`phys:${gpa}/4 ${on}`)]).reverse();
      expect(back.map((tick, at) => linear[at]! - tick)).toEqual(linear.map(() => expect.toBeOneOf([0, 1])));
    }
  });

  test.each([
    ['exit CPUID', (event: MachineEvent) => event.kind === 'kvm_exit' && event.exit_reason === 10],
    ['port 0x3f8/8 out', (event) => event.kind === 'kvm_pio' && event.port >> 3 === 0x7f && event.rw === 1],
    ['port 0x3fd in', (event) => event.kind === 'kvm_pio' && event.port === 0x3fd && event.rw === 0],
    ['event kvm_entry if vcpu_id == 0 && tick > 900', (event, tick) => event.kind === 'kvm_entry' && tick > 900],
    ['msr 0xc0000080 write', (event) => event.kind === 'kvm_msr' && event.ecx === 0xc0000080 && event.write === 1],
  ] as EventCase[])('at %s lies after each such event', (text, isMeant) => {
    const found = session.run.events
      .filter(({ event, tick }) => isMeant(event, tick))
      .map(({ seq }) => seq)
      .slice(-50);
    expect(found.length).toBeGreaterThan(0);
    const stops = [breakAt(`${text}${text.includes(' if ') ? ' &&' : ' if'} seq >= ${found[0]}`)];
    session.goTo(0);
    expect(eventsMet(stops, findNext)).toEqual(found);
    expect(eventsMet(stops, findPrevious)).toEqual([...found].reverse());
  });

  test('with a condition is met only where the condition holds', () => {
    const address = pcAt(9_000);
    const all = forwards([breakAt(`${address}`)], 500);
    const value = (tick: number): bigint => {
      session.follow(session.traveller.go(tick));
      return evaluate(session, '$rax + u8[$pc]');
    };
    const wanted = value(all[all.length >> 1] as number);
    const expected = all.filter((tick) => value(tick) === wanted);
    expect(expected.length).toBeLessThan(all.length);
    expect(forwards([breakAt(`${address} if $rax + u8[$pc] == ${wanted}`)], 500)).toEqual(expected);
  });

  test('with a condition on registers at an event is asked right after the event', () => {
    const all = session.run.events.filter(({ event }) => event.kind === 'kvm_pio').map(({ tick }) => tick);
    const [stop] = [breakAt('event kvm_pio if $rdx == port')];
    expect(forwards([stop], 5)).toEqual(all.slice(0, 5));
    expect(forwards([breakAt('event kvm_pio if $rdx != port && port < 0x100')], 5)).toEqual([]);
  });

  test('with a condition that has no answer ends the search where it is hit, with a sentence', () => {
    answerPrompt(session, 'delete');
    const address = pcAt(9_000);
    session.goTo(0);
    answerPrompt(session, `break ${address} if u8[0xffff800000000000] == 1`);
    const answer = answerPrompt(session, 'continue');
    expect(answer).toMatch(/was hit at tick \d+, and its condition has no answer: There is no memory/);
    expect(evaluate(session, '$pc')).toBe(address);
    answerPrompt(session, 'delete');
  });

  test('at a change of a register knows what it was and what it has become', () => {
    const changes = changesSeen(naive, END - 1, (view) => String(registersOf(view, 0).gpr(12)));
    const expected = changes.filter(({ before, now }) => BigInt(now) < BigInt(before)).map(({ after }) => after);
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(changes.length);
    expectStops(watchAt('$r12 if $new < $old'), expected, true);
  });

  test('at a write to memory knows its bytes before and after, linear or physical', LONG, () => {
    session.goTo(9_000);
    const stack = evaluate(session, '$rsp - 8');
    const gpa = physicalOf(session.view, 0, stack) as number;
    const word = (view: GuestView): string =>
      String(readPhysical(view, gpa, 8).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
    const changes = changesSeen(naive, END - 1, word);
    for (const where of [`${stack}`, `phys:${gpa}`]) {
      const met = (condition: string): number[] => forwards([watchAt(`${where}/8 if ${condition}`)], 10_000);
      const [grown, shrunk] = [met('$new > $old'), met('$new < $old')];
      expect(grown.length).toBeGreaterThan(0);
      expect(shrunk.length).toBeGreaterThan(0);
      // An event KVM injects pushes its frame before the instruction that the look finds it after.
      const seen = (ticks: readonly number[], tick: number) => ticks.includes(tick) || ticks.includes(tick - 1);
      for (const { after, before, now } of changes) {
        expect(seen(BigInt(now) > BigInt(before) ? grown : shrunk, after)).toBe(true);
      }
      expect(grown.length + shrunk.length).toBe(changes.length);
      const [{ before, now }] = changes as [Seen];
      expect(met(`$old == ${before} && $new == ${now}`)[0]).toBe(changes[0]?.after);
      expect(backwards([watchAt(`${where}/8 if $new > $old`)])).toHaveLength(grown.length);
    }
  });

  test('is found without going there', () => {
    session.goTo(9_000);
    const here = session.now;
    expect(answerPrompt(session, 'find last break port 0x3f8 out')).toMatch(/kvm_pio: pio_write[^\n]*\ntick \d+ /);
    expect(answerPrompt(session, 'find next watch $cr3')).toContain('watch $cr3 is not met after here.');
    expect(answerPrompt(session, 'find watch $cr3')).toContain('Say which');
    expect(session.now).toEqual(here);
  });

  test('among several is the nearest', () => {
    const address = pcAt(9_000);
    const stops = [breakAt(`${address}`), breakAt('port 0x3f8 out'), watchAt('$cr3')];
    const single = stops.flatMap((stop) => forwards([stop], 50));
    const merged = forwards(stops, 50);
    expect(merged).toEqual([...single].sort((a, b) => a - b).slice(0, 50));
    const back = backwards(stops);
    expect(back).toHaveLength(49);
  });

  test('changes no memory, tick, event or digest', () => {
    const end = session.run.events.length;
    session.goTo({ seq: end, tick: END });
    const before = snapshotOf(session.view);
    const rsp = evaluate(session, '$rsp');
    forwards([watchAt(`${rsp}/8 access`), watchAt('$rsp'), breakAt('phys:0x100000'), breakAt('msr 0x1b')], 5);
    session.goTo({ seq: end, tick: END });
    const after = snapshotOf(session.view);
    expect(fieldDifferences(before, after)).toEqual([]);
    expect(session.run.verifier.divergence).toBeUndefined();
  });
});

/** WRMSR of GS_BASE with two values and RDMSR, without an exit, then a loop. In a kernel that says where it belongs. */
const MSR_GUEST = [
  ...[0xb9, 0x01, 0x01, 0x00, 0xc0, 0xb8, 0x05, 0, 0, 0x80, 0xba, 0x01, 0, 0, 0, 0x0f, 0x30],
  ...[0xb8, 0x07, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x30, 0x0f, 0x32, 0xeb, 0xfe],
];

describe('an MSR that is written without an exit', () => {
  test('is known by its value in a condition, as one that exits is', () => {
    const [magic, flags, load] = [0x1badb002, 0x10000, 0x100000];
    const words = Uint32Array.of(magic, flags, -(magic + flags), load, load, 0, 0, load + 32);
    const [kernel, trace] = [join(folder, 'msr.elf'), join(folder, 'msr.trace')];
    writeFileSync(kernel, Buffer.concat([Buffer.from(words.buffer), Buffer.from(MSR_GUEST)]));
    recordRun(['-kernel', kernel, '-m', '4', '-nodefaults', '--trace', trace, '--ticks', '100']);
    session = debugTour(trace);
    expect(session.run.events.some(({ event }) => event.kind === 'kvm_msr')).toBe(false);
    const met = (text: string): number[] => forwards([breakAt(text)]);
    const all = met('msr GS_BASE');
    expect(all).toHaveLength(3);
    expect(met('msr 0xc0000101 if data == 0x180000005')).toEqual([all[0]]);
    expect(met('msr GS_BASE if data == 7 && write')).toEqual([all[1]]);
    expect(met('msr GS_BASE if !write && data == 7 && ecx == GS_BASE && exception == 0')).toEqual([all[2]]);
    expect(met('msr GS_BASE if data == 8')).toEqual([]);
  });
});

describe('with two processors', () => {
  const SPAN = 30_000;
  let from = 0;
  let places: { readonly tick: number; readonly vcpu: number; readonly rip: bigint }[] = [];

  beforeAll(() => {
    const trace = join(folder, 'two.trace');
    recordTour(trace, ['-smp', '2', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'], 900_000);
    session = debugTour(trace);
    naive = debugTour(trace);
    from = session.run.events.find(({ event }) => event.kind === 'kvm_entry' && event.vcpu_id === 1)?.tick ?? 0;
    places = [];
    expect(naive.run.timeline.machine.state.kvm.vcpus).toHaveLength(2);
    lookEverywhere(
      naive,
      from + SPAN,
      (view, tick) => {
        const vcpu = view.machine.state.schedule.turn;
        places.push({ tick, vcpu, rip: linearRip(view, vcpu) });
      },
      from,
    );
  });

  /** Where the run stops in the part that was looked at, and for which processor. */
  const met = (stop: Stop): string[] => {
    finish(session.standing(from));
    const found: string[] = [];
    for (;;) {
      const hit = finish(findNext(session, [stop]));
      if (hit === undefined || session.now.tick > from + SPAN) return found;
      found.push(`${session.now.tick} vcpu${hit.vcpu}`);
    }
  };

  test('a breakpoint is met by each where it executes it', LONG, () => {
    const later = places.slice(1);
    const isOf = (vcpu: number, rip: bigint) => later.some((each) => each.vcpu === vcpu && each.rip === rip);
    const rip = later.find((place) => isOf(0, place.rip) && isOf(1, place.rip))?.rip as bigint;
    expect(rip).toBeDefined();
    const expected = later.filter((place) => place.rip === rip).map(({ tick, vcpu }) => `${tick} vcpu${vcpu}`);
    expect(met(breakAt(`${rip}`))).toEqual(expected);
  });

  test('a write by KVM is met after it on the way on, and before its instruction on the way back', () => {
    const isClock = (event: MachineEvent) => event.kind === 'kvm_msr' && event.ecx === 0x4b564d01 && event.data !== 0n;
    const msr = session.run.events.find(({ event }) => isClock(event));
    const gpa = msr?.event.kind === 'kvm_msr' ? msr.event.data & ~1n : 0n;
    const [clock] = [watchAt(`phys:${gpa}/32`)];
    session.goTo((msr?.tick ?? 0) - 50);
    expect(finish(findNext(session, [clock]))).toMatchObject({ by: 'outside' });
    const version = (): number => readPhysical(session.view, Number(gpa), 4)[0] as number;
    expect(version()).toBe(2);
    expect(finish(findPrevious(session, [clock]))).toMatchObject({ by: 'outside' });
    expect(session.now.tick).toBe(msr?.tick);
    expect(version()).toBe(0);
  });

  test('a register is watched on the one that was selected', () => {
    session.vcpu = 1;
    const stop = watchAt('$rsp');
    const found = met(stop);
    expect(found.length).toBeGreaterThan(1);
    expect(found.every((hit) => hit.endsWith('vcpu1'))).toBe(true);
  });
});

describe('words that are no stop', () => {
  test.each([
    ['break', 'Say where'],
    ['break nosuch', 'No symbol is named nosuch'],
    ['break event nosuch', 'No kind of event is named nosuch'],
    ['break exit NOSUCH', 'No exit reason is named NOSUCH'],
    ['break packet if tcp.dprt == 80', 'No field is named tcp.dprt'],
    ['break packet if tcp.seq == 1', 'No field is named tcp.seq'],
    ['break port 0x10000', 'There is no port'],
    ['break msr 0x100000000', 'There is no MSR'],
    ['break 0x1000 if', 'An expression is missing'],
    ['break 0x1000 if $rax ==', 'breaks off'],
    ['break 0x1000 if ($rax', 'lacks its `)`'],
    ['break 0x1000 if $rax = 1', 'cannot be read here'],
    ['watch', 'Say what'],
    ['watch $nosuch', 'No register is named nosuch'],
    ['watch 0x1000/0', 'is not a length'],
    ['delete 99', 'There is no stop 99'],
  ])('%s is answered with a sentence', (line, sentence) => {
    answerPrompt(session, 'delete');
    expect(answerPrompt(session, line)).toContain(sentence);
    expect(answerPrompt(session, 'stops')).toBe('Nothing to stop at.');
  });
});
