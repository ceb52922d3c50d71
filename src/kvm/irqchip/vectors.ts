import { putAt } from '../../base/places.ts';

/** Set one of 256 vectors in a register of 8 words (int32: they stay small integers). SDM Vol. 3, 11.8.4. */
export function setVector(words: number[], vector: number): void {
  putAt(words, vector >> 5, words[vector >> 5]! | (1 << (vector & 31)));
}

/** Clear one vector. */
export function clearVector(words: number[], vector: number): void {
  putAt(words, vector >> 5, words[vector >> 5]! & ~(1 << (vector & 31)));
}

/** Whether a vector is set. */
export function testVector(words: readonly number[], vector: number): boolean {
  return ((words[vector >> 5]! >>> (vector & 31)) & 1) !== 0;
}

/** The highest vector set, or -1. */
export function highestVector(words: readonly number[]): number {
  for (let i = 7; i >= 0; i--) {
    if (words[i] !== 0) return i * 32 + 31 - Math.clz32(words[i]!);
  }
  return -1;
}
