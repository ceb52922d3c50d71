import { DwarfBytes } from './bytes.ts';
import type { CommonEntry, FrameEntry } from './frame-entries.ts';

/** Where the caller's value of a register is. DWARF 5, 6.4.1. */
export type RegisterRule =
  | { readonly how: 'undefined' | 'same' }
  /** In memory, or itself, so far from the frame's address. */
  | { readonly how: 'at' | 'is'; readonly offset: bigint }
  | { readonly how: 'register'; readonly register: number }
  /** The expression's value is where it is in memory, or itself. */
  | { readonly how: 'at-expression' | 'is-expression'; readonly expression: Uint8Array };

/** How the frame's address is found. */
export type FrameRule = { readonly register: number; readonly offset: bigint } | { readonly expression: Uint8Array };

/** The rules that hold at one address. */
export interface FrameRules {
  readonly frame: FrameRule | undefined;
  readonly registers: ReadonlyMap<number, RegisterRule>;
}

interface Rows {
  frame: FrameRule | undefined;
  registers: Map<number, RegisterRule>;
}

const COPIES_MOST = 64;

/** Run the instructions of an entry up to an address. Throws a RangeError where they are damaged. */
export function rulesAt({ common, start, instructions }: FrameEntry, address: bigint): FrameRules {
  const rows: Rows = { frame: undefined, registers: new Map() };
  const runner = new Runner(common, rows, start);
  runner.run(common.instructions, undefined);
  runner.begin();
  runner.run(instructions, address);
  return rows;
}

const ADVANCE = 1;
const OFFSET = 2;

class Runner {
  private readonly common: CommonEntry;
  private readonly rows: Rows;
  private location: bigint;
  private initial: ReadonlyMap<number, RegisterRule> = new Map();
  private readonly kept: Rows[] = [];

  constructor(common: CommonEntry, rows: Rows, start: bigint) {
    this.common = common;
    this.rows = rows;
    this.location = start;
  }

  /** What was said so far is what registers are restored to. */
  begin(): void {
    this.initial = new Map(this.rows.registers);
  }

  run(instructions: DwarfBytes, address: bigint | undefined): void {
    const code = new DwarfBytes(instructions.bytes, instructions.at, instructions.end);
    while (!code.isOver) {
      const byte = code.u8();
      const low = byte & 0x3f;
      if (byte >> 6 === 0) this.extended(low, code);
      else if (byte >> 6 === ADVANCE) this.advance(low);
      else if (byte >> 6 === OFFSET) this.at(low, BigInt(code.unsigned()));
      else this.restore(low);
      if (address !== undefined && this.location > address) return;
    }
  }

  advance(by: number): void {
    this.location += BigInt(by * this.common.codeAlign);
  }

  set(register: number, rule: RegisterRule): void {
    this.rows.registers.set(register, rule);
  }

  at(register: number, factored: bigint, how: 'at' | 'is' = 'at'): void {
    this.set(register, { how, offset: factored * BigInt(this.common.dataAlign) });
  }

  restore(register: number): void {
    const rule = this.initial.get(register);
    if (rule === undefined) this.rows.registers.delete(register);
    else this.set(register, rule);
  }

  scaled(value: bigint): bigint {
    return value * BigInt(this.common.dataAlign);
  }

  frameBy(expression: Uint8Array): void {
    this.rows.frame = { expression };
  }

  frame(change: { readonly register?: number; readonly offset?: bigint }): void {
    const now = this.rows.frame;
    const before = now !== undefined && 'register' in now ? now : { register: 0, offset: 0n };
    this.rows.frame = { ...before, ...change };
  }

  private extended(code: number, from: DwarfBytes): void {
    const act = EXTENDED[code];
    if (act === undefined) throw new RangeError(`call frame instruction ${code} is not known`);
    act(this, from);
  }

  keep(): void {
    if (this.kept.length >= COPIES_MOST) throw new RangeError('too many rows are remembered');
    this.kept.push({ frame: this.rows.frame, registers: new Map(this.rows.registers) });
  }

  takeBack(): void {
    const kept = this.kept.pop();
    if (kept === undefined) throw new RangeError('no row is remembered');
    this.rows.frame = kept.frame;
    this.rows.registers = kept.registers;
  }
}

function expressionIn(from: DwarfBytes): Uint8Array {
  const part = from.part(from.count());
  return part.bytes.subarray(part.at, part.end);
}

/** Instructions with no operand in their own byte. DWARF 5, 7.24; the last two are GNU's. */
const EXTENDED: Readonly<Record<number, (rows: Runner, from: DwarfBytes) => void>> = {
  0x00: () => undefined,
  0x02: (rows, from) => rows.advance(from.u8()),
  0x03: (rows, from) => rows.advance(from.u16()),
  0x04: (rows, from) => rows.advance(from.u32()),
  0x05: (rows, from) => rows.at(from.count(), from.unsigned()),
  0x06: (rows, from) => rows.restore(from.count()),
  0x07: (rows, from) => rows.set(from.count(), { how: 'undefined' }),
  0x08: (rows, from) => rows.set(from.count(), { how: 'same' }),
  0x09: (rows, from) => rows.set(from.count(), { how: 'register', register: from.count() }),
  0x0a: (rows) => rows.keep(),
  0x0b: (rows) => rows.takeBack(),
  0x0c: (rows, from) => rows.frame({ register: from.count(), offset: from.unsigned() }),
  0x0d: (rows, from) => rows.frame({ register: from.count() }),
  0x0e: (rows, from) => rows.frame({ offset: from.unsigned() }),
  0x0f: (rows, from) => rows.frameBy(expressionIn(from)),
  0x10: (rows, from) => rows.set(from.count(), { how: 'at-expression', expression: expressionIn(from) }),
  0x11: (rows, from) => rows.at(from.count(), from.signed()),
  0x12: (rows, from) => rows.frame({ register: from.count(), offset: rows.scaled(from.signed()) }),
  0x13: (rows, from) => rows.frame({ offset: rows.scaled(from.signed()) }),
  0x14: (rows, from) => rows.at(from.count(), from.unsigned(), 'is'),
  0x15: (rows, from) => rows.at(from.count(), from.signed(), 'is'),
  0x16: (rows, from) => rows.set(from.count(), { how: 'is-expression', expression: expressionIn(from) }),
  0x2e: (_, from) => void from.unsigned(),
  0x2f: (rows, from) => rows.at(from.count(), -from.unsigned()),
};
