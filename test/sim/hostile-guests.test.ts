import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import seedrandom from 'seedrandom';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { configurationOf, readDescription } from '../../src/runs/machine/machine-description.ts';
import { replay } from '../../src/api/index.ts';
import { STOPPED } from '../../src/runs/run-inputs.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import type { PendingInput } from '../../src/machine/parts.ts';
import type { MachineState } from '../../src/reducers/state.ts';
import { fold } from '../../src/replay/fold.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { droppableMachine } from '../engine/machines.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf } from '../how-long.ts';
import { hostileGuest } from './hostile-guest.ts';

/** 200 with RETROVISOR_GUESTS=200; others with another RETROVISOR_SEED. */
const GUESTS = casesOf('RETROVISOR_GUESTS', { whole: 8, quick: 2 });
const FROM = process.env['RETROVISOR_SEED'] ?? 'hostile';
const TICKS = 30_000;
/** Virtual time between two looks at a guest that may idle for ever. */
const IDLE_NS = 2e6;
const CPUS = [1, 2, 4];
const MINUTES = 60_000;
const folder = scratchFolder();

/** A machine is pressed and typed at, and reset when its guest has run into the ground. */
function happens(chance: () => number): PendingInput[] {
  const bytes = Uint8Array.from({ length: 1 + Math.floor(chance() * 20) }, () => Math.floor(chance() * 256));
  const roll = chance();
  if (roll < 0.5) return [{ event: { kind: 'sim:reset_requested' } }];
  if (roll < 0.6) return [{ event: { kind: 'sim:serial_received', line: 0, bytes } }];
  if (roll < 0.7) return [{ event: { kind: 'sim:keyboard_received', bytes } }];
  return roll < 0.72 ? [{ event: { kind: 'sim:power_button_pressed' } }] : [];
}

/** Run a guest for so many instructions, or to its end; the state the machine was in when it was put away. */
function record(seed: string, cpus: number): { trace: string; state: MachineState } {
  const kernel = join(folder, `${seed}.bin`);
  const trace = join(folder, `${seed}.trace`);
  writeFileSync(kernel, hostileGuest(seed));
  const { machine, inputs, close } = droppableMachine(['-kernel', kernel, '-m', '16', '-smp', `${cpus}`], seed, trace);
  const chance = seedrandom.alea(`${seed} outside`);
  while (machine.state.schedule.ended === undefined && machine.ticks < TICKS) {
    const tick = Math.min(TICKS, machine.ticks + 500 + Math.floor(chance() * 4000));
    machine.advance({ tick, ns: machine.now() + IDLE_NS });
    inputs.push(...(machine.ticks < tick ? RESET : happens(chance)));
  }
  if (machine.state.schedule.ended === undefined) {
    inputs.splice(0, inputs.length, { event: STOPPED });
    machine.advance({});
  }
  close();
  return { trace, state: machine.state };
}

const RESET: readonly PendingInput[] = [{ event: { kind: 'sim:reset_requested' } }];

/** The state that follows from the events alone. */
function folded(trace: string) {
  const file = openTraceFile(trace);
  const { state, digests, difference, damage } = fold(
    inOrder(file),
    configurationOf(readDescription(file.header.machine, trace)),
  );
  file.close();
  return { digest: digestOf(state), digests, difference, damage };
}

test(
  `${GUESTS} guests of random code on 1, 2 and 4 processors end alike when recorded, replayed and folded`,
  async () => {
    const ends = new Map<string, number>();
    let events = 0;
    for (let guest = 1; guest <= GUESTS; guest += 1) {
      const seed = `${FROM}-${guest}`;
      const { trace, state } = record(seed, CPUS[guest % CPUS.length] as number);
      const replayed = await replay(trace);
      expect(replayed, seed).toMatchObject({ agreed: replayed.events, divergence: undefined, damage: undefined });
      const again = folded(trace);
      expect(again, seed).toMatchObject({ difference: undefined, damage: undefined });
      expect(again.digests, seed).toBeGreaterThan(0);
      expect(again.digest, `${seed}: the state that follows from the events`).toBe(digestOf(state));
      expect(replayed.digest.slice(0, again.digest.length), `${seed}: the state of the replay`).toBe(again.digest);
      const end = state.schedule.ended?.why ?? 'none';
      ends.set(end, (ends.get(end) ?? 0) + 1);
      events += replayed.events;
      rmSync(trace);
    }
    const how = [...ends].map(([end, times]) => `${times} ${end}`).join(', ');
    process.stdout.write(`${GUESTS} guests, ${events} events, ends: ${how}\n`);
    // Guests that do nothing would be equal, too.
    expect(events).toBeGreaterThan(GUESTS * 500);
  },
  10 * MINUTES + GUESTS * MINUTES,
);
