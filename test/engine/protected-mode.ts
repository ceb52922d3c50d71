import type { GuestEngine } from '../../src/engine/index.ts';
import { hasErrorCode } from '../../src/engine/core/fault.ts';
import { engineWith, HLT, HLT_EXITS, NO_EVENT, putFlatSegments, putQuad } from './long-mode.ts';

/** Where the parts of a small protected-mode guest without paging lie. */
export const PLACE = {
  gdt: 0x1000,
  idt: 0x2000,
  tss: 0x4000,
  handlers: 0x9000,
  stack: 0xf000,
  /** The code segment under test begins here. */
  code: 0x20000,
} as const;
export const SELECTOR = { code: 0x08, data: 0x10, tested: 0x18 } as const;
const MEMORY = 2 << 20;
const CODE_32 = 0x409bn;
const CODE_16 = 0x009bn;

/** A code segment to be run in. */
export interface CodeSegment {
  readonly bits: 16 | 32;
  /** Where it begins; PLACE.code when not given. */
  readonly base?: number;
  /** A limit above 1 MiB must end in FFF: the descriptor counts pages then. */
  readonly limit: number;
}

/** What a run came to: the exception it raised (undefined: the HLT in the code) and what its frame says. */
export interface Came {
  readonly engine: GuestEngine;
  readonly ticks: number;
  readonly vector: number | undefined;
  readonly error: number | undefined;
  /** Offset of the instruction that faulted, or behind the one that trapped; of the HLT. */
  readonly ip: number;
  readonly gpr: (index: number) => number;
  /** Stack pointer before the exception. */
  readonly esp: number;
}

/** A code segment's descriptor. */
export function codeDescriptor({ bits, base = PLACE.code, limit }: CodeSegment): bigint {
  const isPaged = limit > 0xfffff;
  const size = BigInt(isPaged ? limit >>> 12 : limit);
  const [start, flags] = [BigInt(base), (bits === 32 ? CODE_32 : CODE_16) | (isPaged ? 0x8000n : 0n)];
  const low = (size & 0xffffn) | ((start & 0xffffffn) << 16n) | ((flags & 0xffn) << 40n);
  return low | (((size >> 16n) & 0xfn) << 48n) | ((flags >> 12n) << 52n) | ((start >> 24n) << 56n);
}

/** Put 32 bits into guest memory. */
export function putLong(engine: GuestEngine, at: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  engine.writeHost(at, bytes);
}

export function longAt(engine: GuestEngine, at: number): number {
  const bytes = engine.readHost(at, 4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** An interrupt gate. */
export function putGate32(engine: GuestEngine, vector: number, selector: number, offset: number, type = 0x8e): void {
  const [low, high] = [BigInt(offset & 0xffff), BigInt(offset >>> 16)];
  putQuad(engine, PLACE.idt + 8 * vector, low | (BigInt(selector) << 16n) | (BigInt(type) << 40n) | (high << 48n));
}

let used: GuestEngine | undefined;

/** One engine serves all runs, from zeroed memory and the state after a reset. */
function freshEngine(): GuestEngine {
  if (used === undefined) {
    used = engineWith({ hostBytes: MEMORY });
    used.addVcpu();
  } else used.writeHost(0, new Uint8Array(MEMORY));
  used.resetVcpu(0, 'reset');
  used.setControls(0, HLT_EXITS);
  return used;
}

/** Run `code` at offset `ip` of the segment; every exception comes to a HLT of its own in a flat one. */
export function runIn(
  segment: CodeSegment,
  ip: number,
  code: readonly number[],
  change: (engine: GuestEngine) => void = () => undefined,
  ticks = 200,
): Came {
  const engine = freshEngine();
  putQuad(engine, PLACE.gdt + SELECTOR.code, 0x00cf9b000000ffffn);
  putQuad(engine, PLACE.gdt + SELECTOR.data, 0x00cf93000000ffffn);
  putQuad(engine, PLACE.gdt + SELECTOR.tested, codeDescriptor(segment));
  for (let vector = 0; vector < 32; vector++) putGate32(engine, vector, SELECTOR.code, PLACE.handlers + vector);
  engine.writeHost(PLACE.handlers, new Uint8Array(32).fill(0xf4));
  const { base = PLACE.code, bits, limit } = segment;
  engine.writeHost(base + ip, Uint8Array.from(code));
  const r = engine.registers(0);
  putFlatSegments(engine);
  r.gdtr = { base: BigInt(PLACE.gdt), limit: 0xff };
  r.idtr = { base: BigInt(PLACE.idt), limit: 0x7ff };
  r.setSegment(1, { selector: SELECTOR.tested, base: BigInt(base), limit, access: bits === 32 ? 0xc09b : 0x009b });
  r.cr0 = 0x33n;
  r.rflags = 2n;
  r.setGpr(4, BigInt(PLACE.stack));
  r.rip = BigInt(ip);
  change(engine);
  return cameTo(engine, ticks);
}

function cameTo(engine: GuestEngine, budget: number): Came {
  const stop = engine.run(0, budget, NO_EVENT);
  const r = engine.registers(0);
  const gprs = Array.from({ length: 8 }, (_, index) => Number(r.gpr(index)));
  const gpr = (index: number): number => gprs[index] ?? 0;
  const vector = Number(stop.rip) - PLACE.handlers;
  if (stop.exit.reason !== HLT) throw new Error(`the run came to exit ${stop.exit.reason} (${stop.why})`);
  const { ticks } = stop;
  if (r.segment(1).selector !== SELECTOR.code) {
    return { engine, ticks, vector: undefined, error: undefined, ip: Number(stop.rip), gpr, esp: gpr(4) };
  }
  const frame = gpr(4) + (hasErrorCode(vector) ? 4 : 0);
  const error = hasErrorCode(vector) ? longAt(engine, gpr(4)) : undefined;
  return { engine, ticks, vector, error, ip: longAt(engine, frame), gpr, esp: frame + 12 };
}
