import type { Size } from './flag-builder.ts';
import type { FunctionBuilder, V } from '../wasm/function-builder.ts';
import type { Signature } from '../wasm/module.ts';

/** A register operand by its place among the instruction's register operands. */
export type Ordinal = 0 | 1 | 2;

/**
 * What a meaning asks of the instruction it is emitted for, and how it goes on from there: all that differs between the
 * handlers, which find the answers in a micro-op record when they run, and code that is emitted for one instruction,
 * which knows them. Addresses of registers are those of the register block: who answers with constants may keep what is
 * at one in a local.
 */
export interface InstructionReader {
  // What the instruction says.

  /** Address of a register operand. */
  slot(ordinal: Ordinal): V;
  immediate(size: Size): V;
  /** Addresses of the base and the index register of its memory operand; absent ones are at an address that holds 0. */
  base(): V;
  index(): V;
  /** By how much the index is shifted. */
  scale(): V;
  displacement(): V;
  /** The shift, there and back, that wraps an effective address to the address size. */
  wrap(): V;
  segment(): V;
  /** Address of the base of its segment where only FS and GS have one. */
  segmentBase(): V;
  /** rip of the instruction after it. */
  nextRip(): V;
  /** Where its near relative branch leads outside 64-bit mode, cut to IP where its operand size is 16 bits. */
  target(): V;

  // Registers, and the ticks that are left.

  /** An integer register, or a part of one, at an address of the register block. */
  readSlot(slot: V, size: Size): V;
  /** A 32-bit write clears the upper half. SDM Vol. 1, 3.4.1.1. */
  writeSlot(slot: V, size: Size, value: V): void;
  ticks(): V;
  setTicks(ticks: V): void;

  // Ends of the instruction.

  /** As the last thing: go on with the instruction after it. */
  next(): void;
  /** As the last thing, after every way out has been taken: nobody comes here. */
  ended(): void;
  /** From within: go on with the instruction after it. */
  returnNext(): void;
  /** Take its near relative branch. */
  takeBranch(): void;
  /** The same where `target` is known to be a place in the segment. */
  takeBranchTo(rip: V): void;
  /** Go on at `rip` (i64, already wrapped). */
  jump(rip: V): void;
  /** Its ticks are used up before it is done: go on with itself. */
  again(): void;
  /** It does not retire: what stopped it has been described. */
  stop(): void;
  /** A routine does (the rest of) it, and says where to go on. */
  assist(id: number): void;
  /** A routine does a part of it, unless it stops. */
  assistWithin(id: number): void;
}

/** A way of running meanings: the shape of its functions, and who answers in them. */
export interface Tier<Reader extends InstructionReader = InstructionReader> {
  readonly signature: Signature;
  reader(f: FunctionBuilder): Reader;
}
