import seedrandom from 'seedrandom';
import { expect, test } from 'vitest';
import { IS_WHOLE } from '../../how-long.ts';
import { MeaningBuilder, type OperandKind, type Size } from '../../../src/engine/emit/builder.ts';
import { HANDLERS } from '../../../src/engine/emit/record.ts';
import { ARITHMETIC } from '../../../src/engine/meanings/arithmetic.ts';
import { BITS } from '../../../src/engine/meanings/bits.ts';
import { BRANCHES } from '../../../src/engine/meanings/branches.ts';
import { FLAGS } from '../../../src/engine/meanings/flags.ts';
import { emitMeaning, handlerKey, kindCombinations, type Meaning } from '../../../src/engine/meanings/meaning.ts';
import { MOVES } from '../../../src/engine/meanings/moves.ts';
import { SHIFTS } from '../../../src/engine/meanings/shifts.ts';
import { stringMeanings } from '../../../src/engine/meanings/strings.ts';
import { VECTOR } from '../../../src/engine/meanings/vector.ts';
import * as L from '../../../src/engine/state/layout.ts';
import { constantTier, type Known } from './constant-reader.ts';
import { type Emitted, instantiated, randomState, RECORD, stateOf, writeKnown } from './two-readers.ts';

const random = seedrandom.alea('readers');
const below = (most: number): number => Math.floor(random() * most);
const oneOf = <T>(of: readonly T[]): T => of[below(of.length)] as T;

/** A meaning in one form, and an instruction of it. */
interface Case {
  readonly name: string;
  readonly known: Known;
  readonly emit: (m: MeaningBuilder) => void;
}

/** Where a register operand of a size may be. `vector`: 64 bits are an MMX register. */
function slotFor(vector: boolean, size: Size): number {
  if (size === 16) return L.XMM + 16 * below(16);
  if (size === 8 && vector) return L.X87_REGISTERS + 16 * below(8);
  return L.GPR + 8 * below(16) + (size === 1 && random() < 0.3 ? 1 : 0);
}

function knownFor(vector: boolean, sizes: readonly Size[], kinds: readonly OperandKind[]): Known {
  const sizeOf = (at: number): Size => sizes[at] ?? sizes[0] ?? 4;
  const registers = kinds.flatMap((kind, at) => (kind === 'r' ? [slotFor(vector, sizeOf(at))] : []));
  const address = (): number => (random() < 0.2 ? L.ZERO_SLOT : L.GPR + 8 * below(16));
  return {
    record: RECORD,
    slots: [registers[0] ?? 0, registers[1] ?? 0, registers[2] ?? 0],
    immediate: BigInt.asUintN(64, BigInt(below(2 ** 32)) * BigInt(below(2 ** 32)) - BigInt(below(3))),
    base: random() < 0.1 ? L.RIP_PAGE : address(),
    index: address(),
    scale: below(4),
    displacement: below(2 ** 32) | 0,
    wrap: oneOf([0, 32, 48]),
    segment: below(6),
    segmentBase: oneOf([L.ZERO_SLOT, L.SEG_BASE + 32, L.SEG_BASE + 40]),
    target: oneOf([0, RECORD + 640]),
    cut: random() < 0.5,
    nextRip: BigInt(below(4096)),
  };
}

/** Every meaning in some forms of it. */
function cases(rows: readonly Meaning[], most: number): Case[] {
  return rows.flatMap((row) => {
    const forms = row.sizes.flatMap((sizes) => kindCombinations(row.operands).map((kinds) => ({ sizes, kinds })));
    return Array.from({ length: Math.min(most, forms.length) }, () => {
      const { sizes, kinds } = oneOf(forms);
      const known = knownFor(rows === VECTOR, sizes, kinds);
      return { name: handlerKey(row.name, sizes, kinds), known, emit: (m) => emitMeaning(m, row, sizes, kinds) };
    });
  });
}

/** What can be told of an instruction that has been executed. */
function executed(code: Emitted, at: number, known: Known, seed: string): unknown {
  randomState(code.bytes, seedrandom.alea(seed));
  writeKnown(code.bytes, known);
  code.calls.length = 0;
  code.ticks.value = 1 + ((seed.length + at) % 40);
  code.fault.value = 0;
  const next = code.run(at);
  return { next, calls: [...code.calls], ticks: code.ticks.value, fault: code.fault.value, ...stateOf(code.bytes) };
}

function compare(all: readonly Case[]): void {
  const emitted = (of: (each: Case) => MeaningBuilder) =>
    all.map((each) => {
      const m = of(each);
      each.emit(m);
      return m.finish();
    });
  const byRecord = instantiated(
    emitted(() => new MeaningBuilder(HANDLERS)),
    [RECORD],
  );
  const byConstants = instantiated(
    emitted(({ known }) => new MeaningBuilder(constantTier(known))),
    [],
  );
  for (const [at, { name, known }] of all.entries()) {
    for (let turn = 0; turn < 8; turn += 1) {
      const seed = `${name} ${at} ${turn}`;
      expect(executed(byConstants, at, known, seed), seed).toEqual(executed(byRecord, at, known, seed));
    }
  }
}

/** Of each row so many of its handlers. */
const OF_EACH = IS_WHOLE ? 4 : 1;

test.each([
  ['arithmetic', cases(ARITHMETIC, OF_EACH)],
  ['moves', cases(MOVES, OF_EACH)],
  ['shifts', cases(SHIFTS, OF_EACH)],
  ['bits', cases(BITS, OF_EACH)],
  ['branches', cases(BRANCHES, OF_EACH)],
  ['flags', cases(FLAGS, OF_EACH)],
  ['vectors', cases(VECTOR, 1)],
])('%s: constants and locals come to what the record comes to', (_, all) => {
  expect(all.length).toBeGreaterThan(8);
  compare(all);
});

test('strings: constants and locals come to what the record comes to', () => {
  const rows = stringMeanings().filter(() => random() < 0.3);
  expect(rows.length).toBeGreaterThan(30);
  compare(rows.map(({ key, emit }) => ({ name: key, known: knownFor(false, [], []), emit })));
});
