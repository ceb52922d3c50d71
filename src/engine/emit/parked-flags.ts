import type { Size } from './flag-builder.ts';

/**
 * Flags that are put off until somebody asks: a word that says of what they are, and two values. The word is 0 where
 * the flags themselves are there.
 */

/** Of a sum of the two. What a logical instruction left is a sum of it and 0. */
const PARKED_SUM = 1;
/** Of a difference. */
export const PARKED_DIFFERENCE = 2;
/** Above them the word says by how many bits a value is shorter than 64. */
export const PARKED_SHIFT = 8;

/** The word for values of a size. */
export const parkedWord = (isDifference: boolean, size: Size): number =>
  (isDifference ? PARKED_DIFFERENCE : PARKED_SUM) | ((64 - 8 * size) << PARKED_SHIFT);
