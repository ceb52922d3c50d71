import { createHash } from 'node:crypto';
import seedrandom from 'seedrandom';
import { expect, test } from 'vitest';
import type { EngineOptions, GuestEngine } from '../../../src/engine/index.ts';
import { instantiate } from '../../../src/host/wasm.ts';
import { casesOf } from '../../how-long.ts';
import { AT, engineWith, enterLongMode, LINEAR, NO_EVENT, putTables, registersOf, SLOT_BYTES } from '../long-mode.ts';
import { program } from './programs.ts';

/** Programs; RETROVISOR_PROGRAMS=N makes more. */
const PROGRAMS = casesOf('RETROVISOR_PROGRAMS', { whole: 1500, quick: 60 });
const SEED = process.env['RETROVISOR_SEED'] ?? 'tiers';
const CODE = AT.data - 0x8000;
const MOST_TICKS = 20_000;

/** All there is to see of a guest. */
function seen(engine: GuestEngine): unknown {
  const digest = createHash('sha1').update(engine.readHost(0, SLOT_BYTES)).digest('hex');
  return { registers: registersOf(engine), digest };
}

/** An engine that stands before a program. */
function standing(code: readonly number[], seed: string, options: Partial<EngineOptions> = {}): GuestEngine {
  const engine = engineWith({ hostBytes: SLOT_BYTES, ...options });
  engine.addVcpu();
  putTables(engine, 0);
  enterLongMode(engine, 0, []);
  engine.writeHost(CODE, Uint8Array.from(code));
  const random = seedrandom.alea(seed);
  const r = engine.registers(0);
  for (const index of [0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13]) {
    r.setGpr(index, BigInt(Math.floor(random() * 2 ** 32)) * BigInt(Math.floor(random() * 2 ** 31)));
  }
  r.setGpr(7, LINEAR + BigInt(AT.data));
  r.setGpr(15, BigInt(20 + Math.floor(random() * 60)));
  r.cr4 |= 0x600n;
  r.rip = LINEAR + BigInt(CODE);
  return engine;
}

/** Run it in pieces of so many ticks. Returns what was seen at the end of each. */
function inPieces(engine: GuestEngine, pieces: () => number): unknown[] {
  const found: unknown[] = [];
  for (let ticks = 0; ticks < MOST_TICKS; ) {
    const stop = engine.run(0, pieces(), NO_EVENT);
    ticks += stop.ticks;
    found.push({ why: stop.why, reason: stop.exit.reason, ticks: stop.ticks, ...(seen(engine) as object) });
    if (stop.why === 'exit') break;
  }
  return found;
}

/** Pieces of lengths drawn by a name. */
function piecesOf(name: string): () => number {
  const lengths = seedrandom.alea(name);
  return () => (lengths() < 0.5 ? 1 + Math.floor(lengths() * 40) : 1000 + Math.floor(lengths() * 4000));
}

test('a guest cannot tell which tier runs it', { timeout: 3_600_000 }, () => {
  const random = seedrandom.alea(SEED);
  const totals = { regions: 0, instructions: 0 };
  for (let at = 0; at < PROGRAMS; at += 1) {
    const name = `${SEED} ${at}`;
    const code = program(random);
    const upTo = (most: number): number => 1 + Math.floor(random() * most);
    const tier = { threshold: upTo(4), batch: upTo(2), limit: 4 + upTo(200) };
    const handled = standing(code, name);
    const translated = standing(code, name, { tier });
    expect(inPieces(translated, piecesOf(name)), name).toEqual(inPieces(handled, piecesOf(name)));
    const { counts } = translated.processor.translator;
    expect(counts.refused).toBe(0);
    totals.regions += counts.regions;
    totals.instructions += counts.instructions;
    expect(handled.processor.translator.counts.regions).toBe(0);
  }
  console.log(`${PROGRAMS} programs, ${totals.regions} regions of ${totals.instructions} instructions`);
  expect(totals.regions).toBeGreaterThan(PROGRAMS);
});

test('where WebAssembly has no room for a module, the handlers run it all', () => {
  const code = program(seedrandom.alea('refused'));
  const refusing = standing(code, 'refused', {
    tier: { threshold: 2, batch: 1 },
    instantiate: (module, env) => {
      if ('table' in env) throw new RangeError('out of memory');
      return instantiate(module, env);
    },
  });
  expect(inPieces(refusing, piecesOf('refused'))).toEqual(inPieces(standing(code, 'refused'), piecesOf('refused')));
  expect(refusing.processor.translator.counts).toMatchObject({ regions: 0, refused: 1 });
});
