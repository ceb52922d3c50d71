import { expect, test } from 'vitest';
import { RunClock } from '../../src/engine/processor/run-clock.ts';
import * as L from '../../src/engine/state/layout.ts';
import { EngineMemory } from '../../src/engine/state/memory.ts';
import { NO_CONTROLS } from '../../src/x86/guest.ts';

const GAP = 128;
const WINDOW = 4096;
const PER_TICK = 16;
const SLICE = 1_000_000;

/** SDM Vol. 3, 26.1.3, by 64-bit numbers. */
class Model {
  first = 0n;
  last = 0n;
  isTooLong(now: bigint): boolean {
    if (now - this.last > BigInt(GAP)) this.first = now;
    this.last = now;
    if (now - this.first <= BigInt(WINDOW)) return false;
    this.first = now;
    return true;
  }
}

test.each([0n, 0xffff_f000n, 0x1_0000_0000n - 16n, 1n << 53n, (1n << 63n) - 4096n, (1n << 64n) - 65536n])(
  'a loop of PAUSE exits where its time is over, from TSC %i on',
  (start) => {
    const memory = new EngineMemory(65536);
    const ticks = { value: SLICE };
    const controls = { ...NO_CONTROLS, pleGap: GAP, pleWindow: WINDOW };
    const clock = new RunClock({ controls, memory }, ticks);
    memory.write32(L.TSC_PER_TICK, PER_TICK);
    clock.tscAtStart = start;
    clock.startTime(SLICE);
    const model = new Model();
    let [chance, exits, wrong] = [7, 0, 0];
    for (let at = 0; at < 5000; at++) {
      chance = (Math.imul(chance, 1103515245) + 12345) >>> 0;
      // Mostly within the gap of 8 ticks, now and then beyond it.
      ticks.value -= (1 + (chance >>> 29)) * (at % 97 === 0 ? 5 : 1);
      const now = clock.timeStamp();
      const [isTooLong, expected] = [clock.pauseLoop(), model.isTooLong(now)];
      const isRemembered = memory.read64(L.PLE_FIRST) === model.first && memory.read64(L.PLE_LAST) === model.last;
      if (isTooLong !== expected || !isRemembered) wrong += 1;
      if (isTooLong) exits += 1;
    }
    expect(wrong).toBe(0);
    expect(exits).toBeGreaterThan(5);
  },
);
