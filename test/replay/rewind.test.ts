import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { createEngine } from '../../src/engine/index.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { instantiate } from '../../src/host/wasm.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { MachineParts } from '../../src/machine/parts.ts';
import { differenceOf } from '../../src/reducers/seal.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { fold } from '../../src/replay/fold.ts';
import { rerun } from '../../src/replay/rerun.ts';
import { createTimeline } from '../../src/replay/timeline.ts';
import { createVerifier, recordedInputs, replayTo } from '../../src/replay/verify.ts';
import { inputQueue, madeOf, pcOn } from '../machine/pc.ts';

const TOUR = new Uint8Array(readFileSync(new URL('../../guests/tour/tour.elf', import.meta.url)));
const MEMORY_MIB = 16;
/** Room for the ROMs beside the memory. */
const ROM_BYTES = 4 << 20;
const FAR = 1_000_000;

const OPTIONS = {
  machine: 'pc',
  memory: MEMORY_MIB,
  smp: 1,
  kernel: { name: 'tour.elf', bytes: TOUR },
  devices: [{ driver: 'isa-debug-exit', properties: { iobase: 0xf4, iosize: 4 } }],
  serialLines: 1,
  noDefaults: false,
} as const;
const DIGEST_EVERY = 100_000;

const processor: MachineParts['engine'] = (time) =>
  createEngine({
    hostBytes: (MEMORY_MIB << 20) + ROM_BYTES,
    instantiate,
    hostTsc: () => time.hostTsc(),
    tscPerTick: time.tscPerTick,
    random: (ticks) => time.random(ticks),
  });

type Outside = Pick<MachineParts, 'inputs' | 'onEvent'> & Partial<Pick<MachineParts, 'engine'>>;

/** The tour on the real processor. */
const tour = (outside: Outside): Machine =>
  pcOn(OPTIONS, { engine: processor, seed: '1', digestEvery: DIGEST_EVERY, ...outside });

describe('a real guest', () => {
  const events: Stamped[] = [];
  let live: Machine;
  beforeAll(() => {
    live = tour({ inputs: inputQueue(), onEvent: (stamped) => void events.push(stamped) });
    live.advance({ tick: FAR });
    live.advance({ seq: live.seq + 3 });
  });

  test('gets somewhere', () => {
    expect(live.ticks).toBeGreaterThan(1000);
    expect(events.filter(({ event }) => event.kind === 'kvm_exit').length).toBeGreaterThan(50);
  });

  test('replays to the same events and digests', () => {
    const verifier = createVerifier(events);
    const machine = tour({ inputs: recordedInputs(events), onEvent: verifier.check });
    const { divergence } = replayTo(machine, events, verifier);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
  });

  test('folds from its events alone', () => {
    const { state, difference } = fold(events, madeOf(OPTIONS, DIGEST_EVERY));
    expect(difference).toBeUndefined();
    expect(differenceOf(state, live.state)).toBeUndefined();
  });

  test('has its hypervisor run again without it', () => {
    const { machine, divergence, agreed } = rerun(events, tour);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(events.length);
    expect(differenceOf(machine!.state, live.state)).toBeUndefined();
  });

  test('stands at the same state each time one goes back to a tick', () => {
    const timeline = createTimeline({
      build: tour,
      inputs: inputQueue(),
      onEvent: () => undefined,
      every: 50_000,
    });
    timeline.advance({ tick: FAR });
    const end = timeline.now.tick;
    const seen = new Map<number, string>();
    for (const share of [0.5, 0.1, 0.9, 0.5, 0.25, 0.9, 0.1, 0.25]) {
      timeline.seek(Math.floor(end * share));
      const mark = `${digestOf(timeline.machine.state)} ${timeline.machine.pages.digest()}`;
      expect(seen.get(share) ?? mark).toBe(mark);
      seen.set(share, mark);
    }
  });
});
