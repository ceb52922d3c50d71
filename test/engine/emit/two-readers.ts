import { createHash } from 'node:crypto';
import { FN } from '../../../src/engine/emit/shared.ts';
import * as L from '../../../src/engine/state/layout.ts';
import { assembleModule, type FunctionBody, type ImportedFunction } from '../../../src/engine/wasm/module.ts';
import type { Known } from './constant-reader.ts';

/** Where things lie in the small memory both kinds of code run in. */
export const RECORD = 0x80000;
const DATA = 0x90000;
const DATA_BYTES = 0x2000;
const PAGES = 16;

/** Everything a handler may call is a question to the test. */
const IMPORTS: readonly ImportedFunction[] = [
  { name: 'translate', signature: { params: ['i32', 'i32', 'i32'], results: ['i32'] } },
  { name: 'commit', signature: { params: [], results: [] } },
  { name: 'resolve', signature: { params: [], results: ['i32'] } },
  { name: 'assist', signature: { params: ['i32', 'i32'], results: ['i32'] } },
  { name: 'lookup', signature: { params: ['i64'], results: ['i32'] } },
  { name: 'branch', signature: { params: ['i32'], results: ['i32'] } },
  { name: 'segment', signature: { params: ['i32', 'i64', 'i32'], results: ['i64'] } },
];

interface Global {
  value: number;
}

/** A function that was emitted, and the memory and the calls it shares with all of its module. */
export interface Emitted {
  readonly bytes: Uint8Array;
  readonly ticks: Global;
  readonly fault: Global;
  readonly calls: string[];
  run(at: number): number;
}

/** Instantiate functions. What they call answers by its arguments alone, and notes what the registers were. */
export function instantiated(functions: readonly FunctionBody[], parameter: readonly number[]): Emitted {
  if (IMPORTS.length !== Object.keys(FN).length) throw new Error('A function that may be called is missing.');
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const bytes = new Uint8Array(memory.buffer);
  const calls: string[] = [];
  const note = (...what: unknown[]): void => {
    const registers = createHash('sha1').update(bytes.subarray(L.GPR, L.ZERO_SLOT)).digest('hex');
    calls.push(`${what.join(' ')} ${registers} ${exported('ticks').value}`);
  };
  const env = {
    memory,
    // One linear address in sixteen leads nowhere.
    translate: (low: number) => ((low & 0xf000) === 0x7000 ? 0 : DATA + (low & 0xfff)),
    commit: () => void calls.push('commit'),
    resolve: () => 0,
    assist: (id: number, record: number) => {
      note('assist', id, record);
      return (id + record + calls.length) % 2 === 0 ? record + L.RECORD : 0;
    },
    lookup: (rip: bigint) => {
      note('lookup', rip);
      return 0x1000 + Number(rip & 0xfffn);
    },
    branch: (record: number) => {
      note('branch', record);
      return 0x2000;
    },
    segment: (segment: number, offset: bigint, how: number) => {
      exported('fault').value = (offset & 0x1f0n) === 0x70n ? 1 : 0;
      return BigInt.asUintN(64, offset + BigInt(16 * segment + how));
    },
  };
  const named = functions.map((body, at) => ({ ...body, exported: `f${at}` }));
  const globals = [
    { type: 'i32', name: 'ticks' },
    { type: 'i32', name: 'fault' },
    { type: 'i64', name: 'context' },
  ] as const;
  const binary = assembleModule({ imports: IMPORTS, functions: named, globals, memoryPages: PAGES });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary as BufferSource), { env });
  const exported = (name: string): Global => exports[name] as unknown as Global;
  bytes.fill(0xff, L.TLB, L.TLB + L.TLB_SIZE);
  for (let value = 0; value < 256; value += 1) bytes[L.PARITY + value] = parity(value);
  return {
    bytes,
    ticks: exported('ticks'),
    fault: exported('fault'),
    calls,
    run: (at) => (exports[`f${at}`] as (...args: readonly number[]) => number)(...parameter),
  };
}

/** Put a record into memory as the decoder would. */
export function writeKnown(bytes: Uint8Array, known: Known): void {
  const view = new DataView(bytes.buffer);
  const at = known.record;
  bytes.fill(0, at, at + L.RECORD);
  known.slots.forEach((slot, k) => view.setUint16(at + (L.R_REG[k] as number), slot, true));
  view.setBigUint64(at + L.R_IMM, known.immediate, true);
  view.setUint16(at + L.R_BASE, known.base, true);
  view.setUint16(at + L.R_INDEX, known.index, true);
  view.setUint8(at + L.R_SCALE, known.scale);
  view.setUint8(at + L.R_SEGMENT, known.segment);
  view.setUint16(at + L.R_SEGBASE, known.segmentBase, true);
  view.setInt32(at + L.R_DISP, known.displacement, true);
  view.setInt32(at + L.R_TARGET, known.target, true);
  view.setUint8(at + L.R_WRAP, known.wrap);
  view.setUint8(at + L.R_CUT, known.cut ? 1 : 0);
  view.setUint16(at + L.R_NEXT, Number(known.nextRip & 0xfffn), true);
}

/** Random registers, flags, vectors and data, and a record's place for branches. */
export function randomState(bytes: Uint8Array, random: () => number): void {
  const view = new DataView(bytes.buffer);
  const byte = (): number => Math.floor(random() * 256);
  const fill = (from: number, to: number): void => {
    for (let at = from; at < to; at += 1) bytes[at] = byte();
  };
  const small = (most: number): number => Math.floor(random() * most);
  bytes.fill(0, L.BLOCK, L.BLOCK + L.BLOCK_SIZE);
  for (let at = L.GPR; at < L.ZERO_SLOT; at += 8) {
    const edges = [0n, 1n, 0x7fn, 0x8000n, 0x8000_0000n, -1n, 1n << 63n];
    fill(at, at + 8);
    if (random() < 0.3) view.setBigInt64(at, edges[small(edges.length)] as bigint, true);
  }
  fill(L.FLAG_RESULT, L.FLAG_CF);
  view.setUint32(L.FLAG_CF, small(2), true);
  fill(L.FLAGS_REST, L.FLAGS_REST + 3);
  fill(L.SEG_BASE, L.SEG_SELECTOR);
  fill(L.X87_REGISTERS, L.FCW);
  fill(L.XMM, L.XMM + 256);
  view.setUint16(L.FSW, small(4) * 0x80, true);
  view.setUint32(L.MXCSR, 0x1f80, true);
  view.setUint32(L.CR0, small(2), true);
  view.setUint32(L.CPL, small(4), true);
  view.setBigUint64(L.RIP_MASK, random() < 0.5 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn, true);
  view.setBigUint64(L.CODE_LIMIT, BigInt(Math.floor(random() * 2 ** 32)), true);
  view.setBigUint64(L.STACK_MASK, random() < 0.5 ? 0xffff_ffffn : 0xffffn, true);
  fill(L.TSC_BASE, L.TSC_BASE + 8);
  view.setUint32(L.TSC_TICKS, 1000, true);
  view.setUint32(L.TSC_PER_TICK, 16, true);
  fill(DATA, DATA + DATA_BYTES);
}

/** What an instruction may have changed: the register block, scratch and data. */
export function stateOf(bytes: Uint8Array): { registers: readonly string[]; rest: string } {
  const words = new BigUint64Array(bytes.buffer, L.GPR, 16);
  const rest = createHash('sha1').update(bytes.subarray(L.BLOCK, L.VCPU_BLOCKS));
  rest.update(bytes.subarray(DATA, DATA + DATA_BYTES));
  return { registers: Array.from(words, (word) => word.toString(16)), rest: rest.digest('hex') };
}

const parity = (value: number): number =>
  [0, 1, 2, 3, 4, 5, 6, 7].reduce((even, bit) => even ^ ((value >> bit) & 1), 1);
