import type { Meaning } from './meaning.ts';
import { VECTOR_CONTROL } from './vector/control.ts';
import { VECTOR_CONVERSIONS } from './vector/convert.ts';
import { VECTOR_FLOAT } from './vector/float.ts';
import { VECTOR_INTEGER } from './vector/integer.ts';
import { VECTOR_MOVES } from './vector/moves.ts';
import { VECTOR_SHIFTS } from './vector/shifts.ts';
import { VECTOR_SHUFFLES } from './vector/shuffles.ts';

/** MMX and SSE to SSE4.2. */
export const VECTOR: readonly Meaning[] = [
  ...VECTOR_MOVES,
  ...VECTOR_INTEGER,
  ...VECTOR_SHIFTS,
  ...VECTOR_SHUFFLES,
  ...VECTOR_FLOAT,
  ...VECTOR_CONVERSIONS,
  ...VECTOR_CONTROL,
];
