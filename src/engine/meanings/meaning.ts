import { unreachable } from '../../base/invariant.ts';
import type { MeaningBuilder, Operand, OperandKind, Size } from '../emit/builder.ts';
import type { Ordinal } from '../emit/reader.ts';

/** Which places an operand of a row may be in: register, memory, register or memory, immediate. */
export type Place = 'r' | 'm' | 'rm' | 'i' | 'ri' | 'rmi';

/** The operands of a meaning: as many as its row has places. */
export type Operands = readonly [Operand, Operand, Operand, Operand];
/** Their sizes, as one combination of the row has them. */
export type Sizes = readonly [Size, Size, Size, Size];

/** One instruction: the manual's mnemonic, where its operands may be, their sizes, and what it means. */
export interface Meaning {
  /** iced-x86's mnemonic in lower case. */
  readonly name: string;
  readonly operands: readonly Place[];
  /** Every combination of operand sizes, in bytes. */
  readonly sizes: readonly (readonly Size[])[];
  /** Emit it; it must end in `next()`, or in a branch and `ended()`. */
  readonly emit: (m: MeaningBuilder, operands: Operands, sizes: Sizes) => void;
}

/** Two operands of one size: 8, 16, 32 and 64 bits. */
export const SAME_2: readonly (readonly Size[])[] = [
  [1, 1],
  [2, 2],
  [4, 4],
  [8, 8],
];
/** The same without bytes. */
export const SAME_2_NO_BYTE: readonly (readonly Size[])[] = [
  [2, 2],
  [4, 4],
  [8, 8],
];
export const ONE: readonly (readonly Size[])[] = [[1], [2], [4], [8]];

const MEMORY_KINDS: readonly OperandKind[] = ['mA', 'mB', 'mC'];

/** The kinds a place stands for. */
function kindsOf(place: Place): readonly OperandKind[] {
  switch (place) {
    case 'r':
      return ['r'];
    case 'm':
      return MEMORY_KINDS;
    case 'rm':
      return ['r', ...MEMORY_KINDS];
    case 'i':
      return ['i'];
    case 'ri':
      return ['r', 'i'];
    case 'rmi':
      return ['r', ...MEMORY_KINDS, 'i'];
    default:
      return unreachable(place);
  }
}

/** The name of the handler for one instruction, its operand sizes and kinds. */
export function handlerKey(name: string, sizes: readonly number[], kinds: readonly string[]): string {
  return `${name}:${dotted(sizes)}:${dotted(kinds)}`;
}

/** What `join('.')` gives, which costs more than an instruction's decoding should. */
function dotted(parts: readonly (number | string)[]): string {
  let text = parts.length === 0 ? '' : `${parts[0]}`;
  for (let i = 1; i < parts.length; i += 1) text += `.${parts[i]}`;
  return text;
}

/** Every combination of kinds with at most one memory operand. */
export function kindCombinations(places: readonly Place[]): readonly (readonly OperandKind[])[] {
  let all: OperandKind[][] = [[]];
  for (const place of places) {
    all = all.flatMap((head) => kindsOf(place).map((kind) => [...head, kind]));
  }
  return all.filter((kinds) => kinds.filter((kind) => MEMORY_KINDS.includes(kind)).length <= 1);
}

/** Emit a meaning for operands of these sizes and kinds. */
export function emitMeaning(
  m: MeaningBuilder,
  meaning: Meaning,
  sizes: readonly Size[],
  kinds: readonly OperandKind[],
): void {
  let registers = 0;
  const operands = kinds.map((kind, index) =>
    m.operand(kind, sizes[index] ?? sizes[0] ?? 4, (kind === 'r' ? registers++ : 0) as Ordinal),
  );
  // Nobody asks for more of either than the row has.
  meaning.emit(m, operands as readonly Operand[] as Operands, sizes as Sizes);
}
