import type { NamedAddress } from './symbols.ts';

/** The kernel's own table of how to unwind, as it stands in guest memory. */
export interface OrcTables {
  /** `__start_orc_unwind_ip`: where it lies, and its 32-bit distances from each entry to the code it is about. */
  readonly addresses: { readonly start: bigint; readonly bytes: Uint8Array };
  /** `__start_orc_unwind`: six bytes for each. */
  readonly entries: Uint8Array;
}

/** One row: how the caller is found from an address on. Linux 6.1, arch/x86/include/asm/orc_types.h. */
interface OrcRow {
  readonly address: bigint;
  readonly spOffset: number;
  readonly bpOffset: number;
  readonly spReg: number;
  readonly bpReg: number;
  readonly type: number;
}

const ORC_BYTES = 6;
const UNDEFINED = 0;
const PREV_SP = 1;
const BP_INDIRECT = 8;
const SP_INDIRECT = 9;
const CALL = 0;
const REGS = 1;

/** DWARF's numbers of x86-64 registers, in the order pt_regs has them. AMD64 ABI, figure 3.36; asm/ptrace.h. */
const PT_REGS = [15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5] as const;
const RBP = 6;
const RSP = 7;
const RETURN = 16;
/** Of pt_regs, in words. */
const IP_WORD = 16;
const SP_WORD = 19;
/** ORC's registers as DWARF numbers them: DX, DI, BP, SP, R10, R13, and the two that are read through. */
const BASES: Readonly<Record<number, number>> = { 2: 1, 3: 5, 4: 6, 5: 7, 6: 10, 7: 13, 8: 6, 9: 7 };

/** Call frame instructions. DWARF 4, figure 40. */
const CFA = {
  advance4: 0x04,
  undefined: 0x07,
  sameValue: 0x08,
  defineCfa: 0x0c,
  defineCfaExpression: 0x0f,
  offset: 0x80,
  offsetSigned: 0x11,
  advance: 0x40,
} as const;
const OP_DEREF = 0x06;
const OP_BREG0 = 0x70;
const OP_PLUS_CONSTANT = 0x23;

const WORD = 8;

/**
 * The kernel's ORC tables as a `.debug_frame` section, so that gdb finds callers without debugging information.
 * DWARF 4, 6.4; the meaning of each row is that of unwind_next_frame() in arch/x86/kernel/unwind_orc.c.
 */
export function callFrames(tables: OrcTables, functions: readonly NamedAddress[]): Uint8Array {
  const rows = rowsOf(tables);
  const out: number[][] = [commonEntry('')];
  const interrupted = out[0]!.length;
  out.push(commonEntry('S'));
  let at = 0;
  for (const [index, { address }] of functions.entries()) {
    const end = functions[index + 1]?.address ?? address;
    while (at < rows.length && rows[at]!.address < address) at += 1;
    let last = at;
    while (last < rows.length && rows[last]!.address < end) last += 1;
    const own = rows.slice(at, last);
    // A name in the middle of a row: what came before it still holds.
    if (at > 0 && rows[at]?.address !== address) own.unshift({ ...rows[at - 1]!, address });
    if (end > address) for (const run of runsOf(own, end)) out.push(functionEntry(run, interrupted));
  }
  return Uint8Array.from(out.flat());
}

function rowsOf({ addresses, entries }: OrcTables): OrcRow[] {
  const places = new DataView(addresses.bytes.buffer, addresses.bytes.byteOffset, addresses.bytes.byteLength);
  const data = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const count = Math.min(Math.floor(entries.length / ORC_BYTES), Math.floor(addresses.bytes.length / 4));
  return Array.from({ length: count }, (_, index) => {
    const at = index * ORC_BYTES;
    const registers = data.getUint8(at + 4);
    return {
      address: BigInt.asUintN(64, addresses.start + BigInt(index * 4 + places.getInt32(index * 4, true))),
      spOffset: data.getInt16(at, true),
      bpOffset: data.getInt16(at + 2, true),
      spReg: registers & 15,
      bpReg: registers >> 4,
      type: data.getUint8(at + 5) & 3,
    };
  });
}

/** A frame whose caller stands on another stack or was interrupted: gdb may not think the stack corrupt. */
const isInterrupted = ({ type, spReg }: OrcRow): boolean =>
  type !== CALL || spReg === SP_INDIRECT || spReg === BP_INDIRECT;

/** Rows that gdb may take for one function. */
interface Run {
  readonly rows: readonly OrcRow[];
  readonly end: bigint;
}

/** A function cut where it begins or ceases to be interrupted, since gdb takes that of all of an entry. */
function runsOf(rows: readonly OrcRow[], end: bigint): Run[] {
  const runs: Run[] = [];
  let first = 0;
  for (let at = 1; at <= rows.length; at += 1) {
    if (at < rows.length && isInterrupted(rows[at]!) === isInterrupted(rows[first]!)) continue;
    runs.push({ rows: rows.slice(first, at), end: rows[at]?.address ?? end });
    first = at;
  }
  return runs.filter((run) => run.rows.length > 0);
}

function commonEntry(augmentation: string): number[] {
  const name = augmentation === '' ? [0] : [0x7a, augmentation.charCodeAt(0), 0];
  const data = augmentation === '' ? [] : [0];
  return entry([0xff, 0xff, 0xff, 0xff, 1, ...name, 1, 0x78, RETURN, ...data]);
}

/** Length first, and blank instructions up to a whole number of words. */
function entry(body: number[]): number[] {
  while ((body.length + 4) % WORD !== 0) body.push(0);
  return [...little(BigInt(body.length), 4), ...body];
}

function little(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
}

function functionEntry({ rows, end }: Run, interrupted: number): number[] {
  const start = rows[0]!.address;
  const common = isInterrupted(rows[0]!) ? interrupted : 0;
  const body = [...little(BigInt(common), 4), ...little(start, 8), ...little(end - start, 8)];
  if (common !== 0) body.push(0);
  let before: OrcRow | undefined;
  for (const row of rows) {
    if (before !== undefined) body.push(...advance(Number(row.address - before.address)));
    body.push(...ruleOf(row));
    if (before !== undefined && before.type !== row.type) body.push(...restored(row));
    before = row;
  }
  return entry(body);
}

const advance = (delta: number): number[] =>
  delta < 64 ? [CFA.advance | delta] : [CFA.advance4, ...little(BigInt(delta), 4)];

/** The interrupted registers are found nowhere any more. */
const restored = ({ type, bpReg }: OrcRow): number[] =>
  type !== CALL
    ? []
    : [...PT_REGS, RSP].flatMap((register) =>
        register === RBP && bpReg !== UNDEFINED ? [] : [CFA.sameValue, register],
      );

function ruleOf(row: OrcRow): number[] {
  const base = BASES[row.spReg];
  // The outermost frame; gdb wants an address of it all the same.
  if (base === undefined) return [CFA.defineCfa, RSP, WORD, CFA.undefined, RETURN];
  const cfa = cfaRule(row, base);
  if (row.type === CALL) return [...cfa, CFA.offset | RETURN, 1, ...basePointerRule(row)];
  const words = row.type === REGS ? PT_REGS.flatMap((register, word) => savedAt(register, word)) : [];
  const from = row.type === REGS ? 0 : IP_WORD;
  return [...cfa, ...words, ...savedAt(RETURN, IP_WORD - from), ...savedAt(RSP, SP_WORD - from)];
}

function cfaRule({ spReg, spOffset }: OrcRow, base: number): number[] {
  // The others hold the address itself.
  if (base !== RBP && base !== RSP) return [CFA.defineCfa, base, 0];
  if (spReg !== BP_INDIRECT && spReg !== SP_INDIRECT && spOffset >= 0) {
    return [CFA.defineCfa, base, ...unsigned(spOffset)];
  }
  // The stack pointer's is added to what is read, the base pointer's to where it is read.
  const expression =
    spReg === BP_INDIRECT
      ? [OP_BREG0 + base, ...signed(spOffset), OP_DEREF]
      : spReg === SP_INDIRECT
        ? [OP_BREG0 + base, 0, OP_DEREF, OP_PLUS_CONSTANT, ...unsigned(Math.max(0, spOffset))]
        : [OP_BREG0 + base, ...signed(spOffset)];
  return [CFA.defineCfaExpression, expression.length, ...expression];
}

/** Where the caller's RBP is; else the frame has not changed it. */
function basePointerRule({ bpReg, bpOffset }: OrcRow): number[] {
  return bpReg === PREV_SP ? [CFA.offsetSigned, RBP, ...signed(-bpOffset / WORD)] : [CFA.sameValue, RBP];
}

/** So many words above the frame address; the unit is minus one word. */
const savedAt = (register: number, words: number): number[] => [CFA.offsetSigned, register, ...signed(-words)];

/** LEB128. DWARF 4, 7.6. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    const byte = rest & 0x7f;
    if ((rest >> 6 === 0 && (byte & 0x40) === 0) || (rest >> 6 === -1 && (byte & 0x40) !== 0)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}
