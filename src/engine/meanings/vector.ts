import type { Meaning } from './meaning.ts';

/** MMX and SSE to SSE4.2. */
export const VECTOR: readonly Meaning[] = [];
