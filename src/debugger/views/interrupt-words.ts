import { DELIVERY_MODES } from '../../events/symbols.ts';

/** Digits of an unsigned number. */
export const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');

/** Numbers of the bits that are set. */
export const setBits = (mask: number): number[] =>
  Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (mask >>> bit) & 1);

/** `Fixed`, `NMI`, `ExtINT`: bits 10:8 of an entry. SDM Vol. 3, 11.5.1. */
export const deliveryMode = (entry: number): string => DELIVERY_MODES[(entry >> 8) & 7] ?? '';

/** A list, or that there is none. */
export const listed = (numbers: readonly number[]): string => (numbers.length === 0 ? '(none)' : numbers.join(' '));
