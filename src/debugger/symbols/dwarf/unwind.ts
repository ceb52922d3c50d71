import { partitionPoint } from '../../../base/partition.ts';
import { expressionValue, type ExpressionScope } from './expression.ts';
import { type FrameEntry, frameEntries, type FrameSection } from './frame-entries.ts';
import { type FrameRule, type RegisterRule, rulesAt } from './frame-rules.ts';

/** A processor's registers as DWARF numbers them, as far as a frame gives them. */
export interface UnwoundRegisters {
  readonly ip: bigint;
  readonly numbered: readonly (bigint | undefined)[];
}

/** How DWARF numbers registers. AMD64 ABI, figure 3.36; System V ABI for i386, table 2.14. */
export interface RegisterNumbers {
  readonly addressSize: 4 | 8;
  readonly stack: number;
  readonly count: number;
}

export const AMD64: RegisterNumbers = { addressSize: 8, stack: 7, count: 17 };
export const I386: RegisterNumbers = { addressSize: 4, stack: 4, count: 9 };

/** The call frame information of a file. */
export interface CallFrames {
  /**
   * The caller's registers. `isExact`: the address is that of the next instruction, not one a call returns to.
   * Undefined: nothing is known there. 'end': there is no caller.
   */
  caller(
    registers: UnwoundRegisters,
    isExact: boolean,
    numbers: RegisterNumbers,
    memory: ExpressionScope['memory'],
  ): Caller | 'end' | undefined;
}

/** A caller, and whether what it called was entered by an interrupt. */
export interface Caller {
  readonly registers: UnwoundRegisters;
  readonly isInterrupted: boolean;
}

/**
 * Call frame information from all sections that hold some; the first that knows an address is asked. `base`: how far
 * from where the file says its code was loaded.
 */
export function callFrames(sections: readonly FrameSection[], base = 0n): CallFrames {
  let known: FrameEntry[][] | undefined;
  const entryAt = (address: bigint): FrameEntry | undefined => {
    known ??= sections.map(frameEntries);
    for (const entries of known) {
      const entry = entries[lastStart(entries, address)];
      if (entry !== undefined && address < entry.end) return entry;
    }
    return undefined;
  };
  return {
    caller(registers, isExact, numbers, memory) {
      const address = BigInt.asUintN(64, (isExact ? registers.ip : registers.ip - 1n) - base);
      const entry = entryAt(address);
      return entry === undefined ? undefined : callerBy(entry, address, registers, numbers, memory);
    },
  };
}

const lastStart = (entries: readonly FrameEntry[], address: bigint): number =>
  partitionPoint(entries.length, (at) => entries[at]!.start <= address) - 1;

function callerBy(
  entry: FrameEntry,
  address: bigint,
  { numbered }: UnwoundRegisters,
  numbers: RegisterNumbers,
  memory: ExpressionScope['memory'],
): Caller | 'end' | undefined {
  const { addressSize, stack, count } = numbers;
  const rules = rulesOf(entry, address);
  const scope: ExpressionScope = { addressSize, register: (number) => numbered[number], memory };
  const frame = rules?.frame === undefined ? undefined : frameOf(rules.frame, scope);
  if (rules === undefined || frame === undefined) return undefined;
  const before = (register: number): bigint | undefined => {
    const rule = rules.registers.get(register);
    if (rule?.how === 'same') return numbered[register];
    if (rule !== undefined) return valueBy(rule, frame, scope);
    return register === stack ? frame : numbered[register];
  };
  const { returnRegister, isSignal } = entry.common;
  if (rules.registers.get(returnRegister)?.how === 'undefined') return 'end';
  const ip = rules.registers.has(returnRegister) ? before(returnRegister) : undefined;
  if (ip === undefined) return undefined;
  const registers = { ip, numbered: Array.from({ length: count }, (_, register) => before(register)) };
  return { registers, isInterrupted: isSignal };
}

function rulesOf(entry: FrameEntry, address: bigint) {
  try {
    return rulesAt(entry, address);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function frameOf(rule: FrameRule, scope: ExpressionScope): bigint | undefined {
  if ('expression' in rule) return expressionValue(rule.expression, scope);
  const base = scope.register(rule.register);
  return base === undefined ? undefined : BigInt.asUintN(8 * scope.addressSize, base + rule.offset);
}

function valueBy(rule: RegisterRule, frame: bigint, scope: ExpressionScope): bigint | undefined {
  const { addressSize } = scope;
  switch (rule.how) {
    case 'at':
      return scope.memory(BigInt.asUintN(8 * addressSize, frame + rule.offset), addressSize);
    case 'is':
      return BigInt.asUintN(8 * addressSize, frame + rule.offset);
    case 'register':
      return scope.register(rule.register);
    case 'at-expression':
    case 'is-expression': {
      const value = expressionValue(rule.expression, { ...scope, frame }, [frame]);
      return value === undefined || rule.how === 'is-expression' ? value : scope.memory(value, addressSize);
    }
    default:
      return undefined;
  }
}
