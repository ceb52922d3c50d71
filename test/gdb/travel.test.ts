import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Watchpoint } from '../../src/engine/index.ts';
import { subjectOf } from '../../src/gdb/subject.ts';
import type { Arrived, Journey } from '../../src/debugger/travel/travel.ts';
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
  test(
    'with breakpoints and watchpoints everywhere replays the very events and digests',
    () => {
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
    },
    MINUTES,
  );

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
            expect(arrive(traveller.stepBack(vcpu)).why).toBe('step');
            expect(rip()).toBe(was);
          }
        }
      }
    },
    MINUTES,
  );
});
