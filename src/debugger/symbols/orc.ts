import { partitionPoint } from '../../base/partition.ts';
import type { Gva } from '../../base/units.ts';
import type { SymbolTable } from './symbols.ts';

/** Registers as far as a frame gives them, by the names of Linux's struct pt_regs. */
type Known = { ip: bigint; sp: bigint; bp: bigint } & Partial<Record<'dx' | 'di' | 'r10' | 'r13', bigint>>;

/** One caller found by Linux's ORC tables. */
export interface OrcFrame {
  readonly address: Gva;
  /** It was interrupted here: the address is that of its next instruction, not one a call returns to. */
  readonly isInterrupted: boolean;
}

/** What unwinding needs: 8 bytes of the stack, and raw bytes of the tables. */
export interface UnwindMemory {
  word(linear: Gva): bigint | undefined;
  bytes(linear: Gva, length: number): Uint8Array;
}

/** Where the tables of the kernel lie: its own, not those of its modules. */
interface Tables {
  readonly ips: bigint;
  readonly entries: bigint;
  readonly count: number;
}

/** Linux 6.1 to 6.3: two bits of type, and one that says the stack ends. Later ones have three. */
const typeOf = (flags: number): Entry['type'] =>
  (flags & 0x400) !== 0 ? 'end' : ((['call', 'regs', 'partial'] as const)[(flags >> 8) & 3] ?? 'end');

const ENTRY = 6;
const SAMPLED = 4096;
const FRAMES_MAX = 64;

/** Offsets in struct pt_regs. Linux arch/x86/include/asm/ptrace.h. */
const PT = { r13: 16n, bp: 32n, r10: 56n, dx: 96n, di: 112n, ip: 128n, cs: 136n, sp: 152n } as const;

/** Linux arch/x86/include/asm/orc_types.h. */
const REG = { prevSp: 1, dx: 2, di: 3, bp: 4, sp: 5, r10: 6, r13: 7, bpIndirect: 8, spIndirect: 9 } as const;

/** The tables, when the symbols of a kernel that has them are at hand and its memory is mapped here. */
function tablesOf(symbols: SymbolTable, memory: UnwindMemory): Tables | undefined {
  const [ips, end, entries] = ['__start_orc_unwind_ip', '__stop_orc_unwind_ip', '__start_orc_unwind'].map((name) =>
    symbols.addressOf(name),
  );
  if (ips === undefined || end === undefined || entries === undefined || end <= ips) return undefined;
  const sample = memory.bytes(entries, ENTRY * SAMPLED);
  if (sample.length < ENTRY * SAMPLED) return undefined;
  const view = new DataView(sample.buffer, sample.byteOffset, sample.length);
  let calls = 0;
  // Most entries are plain calls: type 0 here, 2 from Linux 6.4 on.
  for (let at = 0; at < SAMPLED; at += 1) calls += ((view.getUint16(at * ENTRY + 4, true) >> 8) & 3) === 0 ? 1 : 0;
  return calls > SAMPLED / 2 ? { ips, entries, count: Number(end - ips) / 4 } : undefined;
}

interface Entry {
  readonly spOffset: bigint;
  readonly bpOffset: bigint;
  readonly spReg: number;
  readonly bpReg: number;
  readonly type: 'call' | 'regs' | 'partial' | 'end';
}

/** The last entry at or before an address: each lies as a distance from its own place. */
function entryAt({ ips, entries, count }: Tables, memory: UnwindMemory, ip: bigint): Entry | undefined {
  const addressAt = (index: number): bigint => {
    const at = ips + 4n * BigInt(index);
    const bytes = memory.bytes(at, 4);
    if (bytes.length < 4) return 0n;
    const distance = new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, true);
    return BigInt.asUintN(64, at + BigInt(distance));
  };
  if (ip < addressAt(0)) return undefined;
  const last = partitionPoint(count, (at) => addressAt(at) <= ip) - 1;
  const bytes = memory.bytes(entries + BigInt(ENTRY * last), ENTRY);
  if (bytes.length < ENTRY) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, ENTRY);
  const flags = view.getUint16(4, true);
  return {
    spOffset: BigInt(view.getInt16(0, true)),
    bpOffset: BigInt(view.getInt16(2, true)),
    spReg: flags & 15,
    bpReg: (flags >> 4) & 15,
    type: typeOf(flags),
  };
}

/**
 * Callers by the ORC tables in the kernel's own memory, nearest first, up to where they end or lead nowhere. Linux
 * arch/x86/kernel/unwind_orc.c.
 */
export function unwindOrc(symbols: SymbolTable, memory: UnwindMemory, here: Required<Known>): OrcFrame[] {
  const tables = tablesOf(symbols, memory);
  const frames: OrcFrame[] = [];
  if (tables === undefined) return frames;
  let known: Known = here;
  let isInterrupted = true;
  while (frames.length < FRAMES_MAX) {
    // A call returns behind itself, which may be in the next function.
    const entry = entryAt(tables, memory, isInterrupted ? known.ip : known.ip - 1n);
    if (entry === undefined || entry.type === 'end') break;
    const sp = stackBefore(entry, known, memory);
    const next = sp === undefined ? undefined : callerOf(entry, known, sp, memory);
    if (next === undefined || next.ip === 0n) break;
    isInterrupted = entry.type !== 'call';
    if (isInterrupted && isUser(entry, sp as bigint, memory)) break;
    known = next;
    frames.push({ address: next.ip, isInterrupted });
  }
  return frames;
}

/** The stack pointer before the call, or where saved registers lie. */
function stackBefore({ spReg, spOffset }: Entry, known: Known, memory: UnwindMemory): bigint | undefined {
  switch (spReg) {
    case REG.sp:
      return known.sp + spOffset;
    case REG.bp:
      return known.bp + spOffset;
    case REG.spIndirect: {
      const word = memory.word(known.sp);
      return word === undefined ? undefined : word + spOffset;
    }
    case REG.bpIndirect:
      return memory.word(known.bp + spOffset);
    case REG.r10:
      return known.r10;
    case REG.r13:
      return known.r13;
    case REG.di:
      return known.di;
    case REG.dx:
      return known.dx;
    default:
      return undefined;
  }
}

function callerOf(entry: Entry, known: Known, sp: bigint, memory: UnwindMemory): Known | undefined {
  if (entry.type === 'call') {
    const ip = memory.word(sp - 8n);
    const bp = baseBefore(entry, known, sp, memory);
    return ip === undefined || bp === undefined ? undefined : { ip, sp, bp };
  }
  // What the processor pushed, or all of struct pt_regs.
  const from = entry.type === 'regs' ? sp : sp - PT.ip;
  const [ip, before] = [memory.word(from + PT.ip), memory.word(from + PT.sp)];
  if (ip === undefined || before === undefined) return undefined;
  if (entry.type === 'partial') {
    const bp = baseBefore(entry, known, sp, memory);
    return bp === undefined ? undefined : { ip, sp: before, bp };
  }
  const saved = (['bp', 'dx', 'di', 'r10', 'r13'] as const).map((name) => [name, memory.word(from + PT[name]) ?? 0n]);
  return { ip, sp: before, ...(Object.fromEntries(saved) as { bp: bigint }) };
}

function baseBefore({ bpReg, bpOffset }: Entry, known: Known, sp: bigint, memory: UnwindMemory): bigint | undefined {
  if (bpReg === REG.prevSp) return memory.word(sp + bpOffset);
  if (bpReg === REG.bp) return memory.word(known.bp + bpOffset);
  return known.bp;
}

/** The saved registers are those of user mode. */
function isUser(entry: Entry, sp: bigint, memory: UnwindMemory): boolean {
  const from = entry.type === 'regs' ? sp : sp - PT.ip;
  return ((memory.word(from + PT.cs) ?? 0n) & 3n) !== 0n;
}
