import { invariant } from '../../base/invariant.ts';
import { MeaningBuilder } from '../emit/builder.ts';
import { CIN_BITS, FlagBuilder } from '../emit/flag-builder.ts';
import { countHeat, HANDLERS, type RecordReader } from '../emit/record.ts';
import { type Form, formOf } from './form.ts';
import { FN, GLOBAL } from '../emit/shared.ts';
import * as L from '../state/layout.ts';
import { ARITHMETIC } from './arithmetic.ts';
import { BITS } from './bits.ts';
import { BRANCHES } from './branches.ts';
import { FLAGS } from './flags.ts';
import { emitMeaning, handlerKey, kindCombinations, type Meaning } from './meaning.ts';
import { MOVES } from './moves.ts';
import { SHIFTS } from './shifts.ts';
import { PSEUDO } from './pseudo.ts';
import { stringMeanings } from './strings.ts';
import { VECTOR } from './vector.ts';
import type { CompiledModule } from '../wasm/compiled.ts';
import { FunctionBuilder, type V } from '../wasm/function-builder.ts';
import { PARKED_DIFFERENCE, PARKED_SHIFT } from '../emit/parked-flags.ts';
import { assembleModule, type FunctionBody, type ImportedFunction } from '../wasm/module.ts';
import { SEG } from '../../x86/registers.ts';
import { VECTOR as EXCEPTION } from '../../x86/exceptions.ts';

/** Every meaning there is, but for strings; to add an instruction, add its row to one of these tables. */
const MEANINGS: readonly Meaning[] = [...ARITHMETIC, ...MOVES, ...SHIFTS, ...BITS, ...BRANCHES];
const MORE_MEANINGS: readonly Meaning[] = [...FLAGS, ...VECTOR];

const IMPORTS: readonly ImportedFunction[] = [
  { name: 'translate', signature: { params: ['i32', 'i32', 'i32'], results: ['i32'] } },
  { name: 'commit', signature: { params: [], results: [] } },
  { name: 'resolve', signature: { params: [], results: ['i32'] } },
  { name: 'assist', signature: { params: ['i32', 'i32'], results: ['i32'] } },
];

const GLOBALS = [
  { type: 'i32', name: 'ticks' },
  { type: 'i32', name: 'fault' },
  { type: 'i64', name: 'context' },
] as const;

/** The handlers compiled: what every engine of the process instantiates, whatever the size of its memory. */
export interface HandlerModule {
  readonly module: CompiledModule;
  /** The table slot of each handler by its key. */
  readonly slots: ReadonlyMap<string, number>;
  /** What each slot's handler does, by slot; undefined: it serves no instruction. */
  forms(): readonly (Form | undefined)[];
}

/** The handlers bound to the memory of one engine. */
export interface HandlerInstance {
  dispatch(record: number): number;
  /** The record of a rip. */
  readonly lookup: unknown;
  /** Works out flags that were put off. */
  readonly settle: unknown;
  /** The handlers by slot, with room for regions of translated code. */
  readonly table: unknown;
  ticks: { value: number };
  fault: { value: number };
  context: { value: bigint };
}

/** Binds the compiled handlers to what they import. */
export type Instantiate = (handlers: CompiledModule, env: Readonly<Record<string, unknown>>) => HandlerInstance;

/** By the bytes they were compiled from; those that were emitted here by what stands for them. */
const COMPILED = new WeakMap<object, HandlerModule>();
const EMITTED_HERE = {};

/**
 * Every handler, compiled when first asked for. They depend on nothing but the code: `emitted` is what `buildHandlers`
 * gave of it at another time; without, they are emitted now, which takes a quarter of a second.
 */
export function handlerModule(emitted: Uint8Array | undefined): HandlerModule {
  const key = emitted ?? EMITTED_HERE;
  const known = COMPILED.get(key);
  if (known !== undefined) return known;
  const made = compiled(emitted ?? buildHandlers());
  COMPILED.set(key, made);
  return made;
}

/** Build every handler: a module. Deterministic: same tables, same bytes. */
export function buildHandlers(): Uint8Array {
  return emitHandlers(allHandlers());
}

/** The slots by their keys, as a module of handlers says them. */
export function slotsOf(module: CompiledModule): ReadonlyMap<string, number> {
  const [keys] = WebAssembly.Module.customSections(module as WebAssembly.Module, KEYS);
  return new Map(
    new TextDecoder()
      .decode(keys)
      .split('\n')
      .map((key, slot) => [key, slot]),
  );
}

/** The section with the keys of all slots, a line each: who has the module need not work them out. */
const KEYS = 'keys';

function compiled(bytes: Uint8Array): HandlerModule {
  const module = new WebAssembly.Module(bytes as BufferSource);
  let forms: readonly (Form | undefined)[] | undefined;
  return { module, slots: slotsOf(module), forms: () => (forms ??= formsOf(allHandlers())) };
}

interface Handler {
  readonly key: string;
  emit(m: MeaningBuilder<RecordReader>): void;
  /** It serves no instruction. */
  readonly isPseudo: boolean;
}

/** Every handler there is, by slot. */
function allHandlers(): readonly Handler[] {
  const pseudo = PSEUDO.map(({ name, emit }) => ({ key: handlerKey(name, [], []), emit, isPseudo: true }));
  const strings = stringMeanings().map(({ key, emit }) => ({ key, emit, isPseudo: false }));
  return [...MEANINGS.flatMap(handlersOf), ...pseudo, ...MORE_MEANINGS.flatMap(handlersOf), ...strings];
}

/** One for each combination of a meaning's sizes and kinds. */
function handlersOf(meaning: Meaning): readonly Handler[] {
  const combinations = kindCombinations(meaning.operands);
  return meaning.sizes.flatMap((sizes) =>
    combinations.map((kinds) => ({
      key: handlerKey(meaning.name, sizes, kinds),
      emit: (m: MeaningBuilder) => emitMeaning(m, meaning, sizes, kinds),
      isPseudo: false,
    })),
  );
}

const formsOf = (handlers: readonly Handler[]): readonly (Form | undefined)[] =>
  handlers.map(({ key, emit, isPseudo }) => (isPseudo ? undefined : formOf(key, emit as (m: MeaningBuilder) => void)));

function emitHandlers(handlers: readonly Handler[]): Uint8Array {
  const functions: FunctionBody[] = [
    ...[lookupFunction(), branchFunction(), segmentFunction(), dispatchFunction(), settleFunction()],
  ];
  const first = IMPORTS.length + functions.length;
  const keys = handlers.map(({ key }) => key);
  invariant(new Set(keys).size === keys.length, 'a handler has one meaning');
  invariant(keys.length < 65536, 'a handler index has 16 bits', { handlers: keys.length });
  for (const { emit } of handlers) {
    const m = new MeaningBuilder(HANDLERS);
    emit(m);
    functions.push(m.finish());
  }
  return assembleModule({
    ...{ imports: IMPORTS, functions, globals: GLOBALS, memoryPages: L.HOST_MEMORY / 65536 },
    table: { imported: false, slots: handlers.length + REGION_SLOTS },
    elements: [{ slot: 0, functions: handlers.map((_handler, slot) => first + slot) }],
    custom: { name: KEYS, bytes: new TextEncoder().encode(keys.join('\n')) },
  });
}

/** Slots behind the handlers for regions of translated code. */
export const REGION_SLOTS = 16384;

/** Find the record for rip (parameter 0) through the TLB, or ask TypeScript. Returns 0 to stop. */
function lookupFunction(): FunctionBody {
  const f = new FunctionBuilder({ params: ['i64'], results: ['i32'] });
  const zero = f.i32(0);
  const rip = f.param(0);
  const linear = f.and(f.add(rip, f.load('i64', zero, 8, L.CODE_BASE)), f.load('i64', zero, 8, L.LINEAR_MASK));
  const page = f.wrap(f.shrU(linear, f.i64(12)));
  const hashed = f.and(f.add(page, f.shrU(page, f.i32(L.TLB_BITS))), f.i32((1 << L.TLB_BITS) - 1));
  const entry = f.shl(hashed, f.i32(5));
  const tag = f.or(f.and(linear, f.i64(-4096)), f.globalGet(GLOBAL.context, 'i64'));
  const isCached = f.eq(f.load('i64', entry, 8, L.TLB + L.TAG_EXECUTE), tag);
  f.if(f.and(isCached, f.ltU(rip, f.load('i64', zero, 8, L.CODE_END))), () => {
    const offset = f.and(f.wrap(linear), f.i32(4095));
    const table = f.load('i32', entry, 4, L.TLB + L.TLB_CODE);
    const record = f.load('i32', f.add(table, f.shl(offset, f.i32(2))), 4);
    f.if(record, () => {
      f.store(zero, f.sub(rip, f.extendU(offset)), 8, L.RIP_PAGE);
      countHeat(f, record);
      f.return(record);
    });
  });
  f.store(zero, rip, 8, L.RIP);
  f.result(f.call(FN.resolve, [], 'i32'));
  return f.finish('lookup');
}

/** Take the near relative branch of a record whose target is not linked. */
function branchFunction(): FunctionBody {
  const f = new FunctionBuilder({ params: ['i32'], results: ['i32'] });
  const record = f.param(0);
  const zero = f.i32(0);
  const next = f.add(f.load('i64', zero, 8, L.RIP_PAGE), f.extendU(f.load('i32', record, 2, L.R_NEXT)));
  const rip = f.and(f.add(next, f.load('i64', record, 8, L.R_IMM)), f.load('i64', zero, 8, L.RIP_MASK));
  f.result(f.call(FN.lookup, [rip], 'i32'));
  return f.finish();
}

/** (segment, offset, size | write << 8) -> linear address; sets `fault` and the fault's vector on a violation. */
function segmentFunction(): FunctionBody {
  const f = new FunctionBuilder({ params: ['i32', 'i64', 'i32'], results: ['i64'] });
  const [segment, offset, how] = [f.param(0), f.param(1), f.param(2)];
  const size = f.extendU(f.and(how, f.i32(0xff)));
  const range = f.add(f.shl(segment, f.i32(5)), f.shl(f.shrU(how, f.i32(8)), f.i32(4)));
  const last = f.sub(f.add(offset, size), f.i64(1));
  const low = f.geU(offset, f.load('i64', range, 8, L.SEG_RANGE));
  const high = f.leU(last, f.load('i64', range, 8, L.SEG_RANGE + 8));
  const zero = f.i32(0);
  f.if(f.eqz(f.and(low, high)), () => {
    f.globalSet(GLOBAL.fault, f.i32(1));
    f.store(zero, f.i32(L.STOP.fault), 4, L.STOP_CODE);
    const isStack = f.eq(segment, f.i32(SEG.SS));
    f.store(zero, f.select(isStack, f.i32(EXCEPTION.SS), f.i32(EXCEPTION.GP)), 4, L.FAULT_VECTOR);
    f.store(zero, zero, 4, L.FAULT_ERROR);
    f.return(f.i64(0));
  });
  const base = f.load('i64', f.shl(segment, f.i32(3)), 8, L.SEG_BASE);
  f.result(f.and(f.add(offset, base), f.load('i64', zero, 8, L.LINEAR_MASK)));
  return f.finish();
}

/**
 * Run records from parameter 0 until the ticks are used up (returns the record to continue with)
 * or a handler stops (returns 0, the record in STOP_UOP).
 */
function dispatchFunction(): FunctionBody {
  const f = new FunctionBuilder({ params: ['i32'], results: ['i32'] });
  const record = f.variable('i32', f.param(0));
  const zero = f.i32(0);
  f.loop((again) => {
    const ticks = f.globalGet(GLOBAL.ticks, 'i32');
    f.if(f.eqz(ticks), () => f.return(f.get(record)));
    f.globalSet(GLOBAL.ticks, f.sub(ticks, f.i32(1)));
    const now = f.get(record);
    const next = f.callHandler(now, f.load('i32', now, 2, L.R_HANDLER));
    f.if(f.eqz(next), () => {
      f.store(zero, now, 4, L.STOP_UOP);
      f.return(zero);
    });
    f.set(record, next);
    again();
  });
  f.trap();
  return f.finish('dispatch');
}

/** Flags of a sum or a difference that a region put off: what was parked, and its two values. See `parked-flags.ts`. */
function settleFunction(): FunctionBody {
  const f = new FlagBuilder({ params: ['i32', 'i64', 'i64'], results: [] });
  const [parked, a, b] = [f.param(0), f.param(1), f.param(2)];
  const unused = f.extendU(f.shrU(parked, f.i32(PARKED_SHIFT)));
  const top = (v: V): V => f.shl(v, unused);
  const isSum = f.eqz(f.and(parked, f.i32(PARKED_DIFFERENCE)));
  const result = f.select(isSum, f.add(a, b), f.sub(a, b));
  const carry = f.select(isSum, f.ltU(top(result), top(a)), f.ltU(top(a), top(b)));
  const wide = (v: V): V => f.shrS(top(v), unused);
  f.setLazyFlags(wide(result), f.and(wide(f.xor(f.xor(a, b), result)), f.i64(CIN_BITS)), carry);
  return f.finish('settle');
}
