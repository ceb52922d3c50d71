import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Watchpoint } from '../../src/engine/index.ts';
import { answerPacket, freshStub } from '../../src/gdb/stub.ts';
import { subjectOf } from '../../src/gdb/subject.ts';
import type { Arrived, Journey, StopsWanted } from '../../src/debugger/travel/travel.ts';
import { linearRipOf } from '../../src/machine/guest-view.ts';
import { LONG } from '../how-long.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { NODE } from '../../src/host/node.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { recordRun } from '../debugger/recorded-tour.ts';

const folder = scratchFolder();
const trace = join(folder, 'tour.trace');
const MINUTES = 120_000;

beforeAll(() => recordRun(['-smp', '2', '--trace', trace]), MINUTES);

function stand() {
  const recorded = openTimeline(openRecordedRun(NODE, trace, {}), { every: 100_000 });
  const subject = subjectOf(recorded);
  return { recorded, subject, traveller: subject.traveller };
}

function arrive(journey: Journey): Arrived {
  for (;;) {
    const { done, value } = journey.next();
    if (done === true) return value;
  }
}

describe('a traveller', () => {
  test('with breakpoints and watchpoints everywhere replays the very events and digests', {
    ...LONG,
    timeout: MINUTES,
  }, () => {
    const scout = stand();
    const breakpoints = new Set<bigint>();
    const watchpoints: Watchpoint[] = [];
    for (let share = 0.05; share < 1; share += 0.1) {
      arrive(scout.traveller.go(Math.floor(scout.subject.lastTick() * share)));
      const registers = scout.subject.registers(scout.traveller.vcpu);
      breakpoints.add(registers.rip);
      watchpoints.push({ address: registers.gpr(4) - 8n, length: 8, on: 'access' });
    }
    // On new ground every event is compared with the recorded one.
    const { recorded, subject, traveller } = stand();
    const { machine } = traveller;
    const met: { vcpu: number; tick: number }[] = [];
    let hits = 0;
    const isWanted = (_address: bigint, vcpu: number): boolean => {
      met.push({ vcpu, tick: machine.ticks });
      return false;
    };
    for (;;) {
      const { why } = arrive(traveller.run({ breakpoints: [...breakpoints], watchpoints, isWanted }));
      if (why === 'end') break;
      hits += 1;
    }
    expect(met.length).toBeGreaterThan(100);
    expect(hits).toBeGreaterThan(0);
    expect(recorded.verifier.divergence).toBeUndefined();
    expect(recorded.verifier.agreed).toBe(recorded.events.length);
    expect(machine.ticks).toBe(subject.lastTick());
  });

  test(
    'finds backwards the last of what it found forwards',
    () => {
      const { subject, traveller } = stand();
      const tick = () => subject.moment().tick;
      arrive(traveller.go(Math.floor(subject.lastTick() * 0.3)));
      const wanted = { breakpoints: [subject.registers(traveller.vcpu).rip], watchpoints: [], isWanted: () => true };
      const ticks = [tick()];
      for (let count = 0; count < 20; count += 1) {
        if (arrive(traveller.run(wanted)).why === 'break') ticks.push(tick());
      }
      expect(ticks.length).toBeGreaterThan(3);
      for (const earlier of ticks.slice(0, -1).reverse()) {
        expect(arrive(traveller.runBack(wanted)).why).toBe('break');
        expect(tick()).toBe(earlier);
      }
    },
    MINUTES,
  );

  test(
    'stops forwards one instruction after where it stops backwards at a write',
    () => {
      const { subject, traveller } = stand();
      const tick = () => subject.moment().tick;
      arrive(traveller.go(Math.floor(subject.lastTick() * 0.3)));
      const address = subject.registers(traveller.vcpu).gpr(4) - 8n;
      const wanted = {
        breakpoints: [],
        watchpoints: [{ address, length: 8, on: 'write' } as const],
        isWanted: () => true,
      };
      const after: number[] = [];
      for (let count = 0; count < 10; count += 1) {
        if (arrive(traveller.run(wanted)).why === 'watch') after.push(tick());
      }
      expect(after.length).toBeGreaterThan(2);
      for (const forwards of after.reverse()) {
        expect(arrive(traveller.runBack(wanted)).why).toBe('watch');
        expect(tick()).toBe(forwards - 1);
      }
    },
    MINUTES,
  );

  test(
    'steps back and forth through equal states of both processors',
    () => {
      const { subject, traveller } = stand();
      for (const share of [0.01, 0.5, 0.95]) {
        arrive(traveller.go(Math.floor(subject.lastTick() * share)));
        for (const vcpu of [0, 1]) {
          const rip = () => subject.registers(vcpu).rip;
          const nothing = { breakpoints: [], watchpoints: [], isWanted: () => true };
          const before: bigint[] = [];
          // A processor that waits for its SIPI is about to execute nothing yet.
          arrive(traveller.step(vcpu, nothing));
          for (let count = 0; count < 5; count += 1) {
            before.push(rip());
            if (arrive(traveller.step(vcpu, nothing)).why !== 'step') return;
          }
          for (const was of before.reverse()) {
            expect(arrive(traveller.stepBack(vcpu, nothing)).why).toBe('step');
            expect(rip()).toBe(was);
          }
        }
      }
    },
    MINUTES,
  );
});

/** Every place of the stretch in which both processors run, as single steps of the machine come by. */
function placesOfBoth(): { readonly tick: number; readonly turn: number; readonly pc: bigint }[] {
  const { recorded } = stand();
  const { timeline, events } = recorded;
  const first = events.find(({ event }) => event.kind === 'sim:thread_switch' && event.to === 1);
  const from = (first?.tick ?? 0) - 20;
  timeline.seek(from);
  const places = [];
  for (let tick = from; tick < from + 6000; tick += 1) {
    timeline.advance({ tick, inGuest: true });
    const { machine } = timeline;
    const { turn } = machine.state.schedule;
    if (machine.ticks === tick) places.push({ tick, turn, pc: linearRipOf(machine.engine.registers(turn)) });
  }
  return places;
}

describe('a step of one processor while the other runs', () => {
  const both = () => {
    const places = placesOfBoth();
    const enters = places.findIndex(({ turn }) => turn === 1);
    const leaves = places.findIndex(({ turn }, at) => at > enters && turn === 0);
    const others = places.slice(enters, leaves);
    expect(others.length).toBeGreaterThan(100);
    return { before: places[enters - 1]!, others, after: places[leaves]! };
  };
  const at = (pc: bigint, more: Partial<StopsWanted> = {}): StopsWanted => ({
    breakpoints: [pc],
    watchpoints: [],
    isWanted: () => true,
    ...more,
  });

  test('ends at once where the other meets a breakpoint, forwards and backwards', { ...LONG, timeout: MINUTES }, () => {
    const { before, others, after } = both();
    const { subject, traveller } = stand();
    const tick = () => subject.moment().tick;
    for (const { pc } of [others[0]!, others[50]!, others.at(-1)!]) {
      const met = others.filter((place) => place.pc === pc).map((place) => place.tick);
      arrive(traveller.go(before.tick));
      const seen: number[] = [];
      // The step that leads to the other's turn, and the next, which begins there.
      for (;;) {
        const stop = arrive(traveller.step(0, at(pc, { countsHere: !seen.includes(tick()) })));
        if (tick() > after.tick) break;
        if (stop.why === 'step') continue;
        expect(stop).toEqual({ why: 'break', vcpu: 1 });
        seen.push(tick());
      }
      expect(seen).toEqual(met);
      arrive(traveller.go(after.tick));
      const back: number[] = [];
      for (;;) {
        const stop = arrive(traveller.stepBack(0, at(pc)));
        if (tick() <= before.tick) break;
        expect(stop).toEqual({ why: 'break', vcpu: 1 });
        back.push(tick());
      }
      expect(back).toEqual(met.reverse());
    }
  });

  test('ends where the other touches what is watched, forwards and backwards', { ...LONG, timeout: MINUTES }, () => {
    const { before, others, after } = both();
    const { subject, traveller } = stand();
    const tick = () => subject.moment().tick;
    arrive(traveller.go(others[0]!.tick));
    // All of the guest's data and its stacks.
    const watchpoint: Watchpoint = { address: 0x100000n, length: 0x100000, on: 'access' };
    const wanted: StopsWanted = { breakpoints: [], watchpoints: [watchpoint], isWanted: () => true };
    const met: number[] = [];
    while (arrive(traveller.run(wanted)).why === 'watch' && tick() <= after.tick) met.push(tick());
    expect(met.length).toBeGreaterThan(2);
    arrive(traveller.go(others[0]!.tick));
    const seen: number[] = [];
    for (;;) {
      const stop = arrive(traveller.step(0, wanted));
      if (tick() > after.tick) break;
      if (stop.why === 'watch') seen.push(tick());
    }
    expect(seen).toEqual(met);
    arrive(traveller.go(after.tick));
    const back: number[] = [];
    for (;;) {
      const stop = arrive(traveller.stepBack(0, wanted));
      if (tick() <= before.tick) break;
      expect(stop).toEqual({ why: 'watch', vcpu: 1, watchpoint });
      back.push(tick() + 1);
    }
    expect(back).toEqual(met.reverse());
  });

  test('goes on to its end where nothing is met', { ...LONG, timeout: MINUTES }, () => {
    const { others, after } = both();
    const { subject, traveller } = stand();
    arrive(traveller.go(others[3]!.tick));
    expect(arrive(traveller.step(0, at(1n)))).toEqual({ why: 'step', vcpu: 0 });
    expect(subject.moment().tick).toBe(after.tick + 1);
    expect(arrive(traveller.stepBack(0, at(1n)))).toEqual({ why: 'step', vcpu: 0 });
    expect(subject.moment().tick).toBe(after.tick);
  });
});

describe('a step back over a watched write', () => {
  test('ends at it as a step forward does, again and again', { ...LONG, timeout: MINUTES }, () => {
    const { subject, traveller } = stand();
    const tick = () => subject.moment().tick;
    arrive(traveller.go(Math.floor(subject.lastTick() * 0.3)));
    const watchpoint: Watchpoint = { address: subject.registers(traveller.vcpu).gpr(4) - 8n, length: 8, on: 'write' };
    const wanted = { breakpoints: [], watchpoints: [watchpoint], isWanted: () => true };
    expect(arrive(traveller.run(wanted)).why).toBe('watch');
    const after = tick();
    for (let count = 0; count < 3; count += 1) {
      expect(arrive(traveller.stepBack(0, wanted))).toEqual({ why: 'watch', vcpu: 0, watchpoint });
      expect(tick()).toBe(after - 1);
      expect(arrive(traveller.step(0, wanted))).toEqual({ why: 'watch', vcpu: 0, watchpoint });
      expect(tick()).toBe(after);
    }
  });
});

describe('info threads', () => {
  test('says which processor waits for its SIPI and which is halted', { ...LONG, timeout: MINUTES }, () => {
    const { recorded, subject, traveller } = stand();
    const said = (): string[] =>
      [1, 2].map((thread) => {
        const answer = answerPacket(freshStub(subject), subject, `qThreadExtraInfo,${thread}`);
        return answer.kind === 'reply' ? Buffer.from(answer.body, 'hex').toString() : '';
      });
    expect(said()).toEqual(['CPU#0', 'CPU#1 [waits for SIPI]']);
    const HLT = 12;
    const halt = recorded.events.find(
      ({ event }) => event.kind === 'kvm_exit' && event.vcpu_id === 1 && event.exit_reason === HLT,
    );
    arrive(traveller.go((halt?.tick ?? 0) + 1));
    expect(traveller.vcpu).toBe(0);
    expect(said()).toEqual(['CPU#0', 'CPU#1 [halted]']);
  });
});
