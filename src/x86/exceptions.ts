/** Exception vectors. SDM Vol. 3, Table 6-1. */
export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** Which vectors push an error code. */
export const hasErrorCode = (vector: number): boolean =>
  vector === VECTOR.DF || (vector >= VECTOR.TS && vector <= VECTOR.PF) || vector === VECTOR.AC;

/** Contributory exceptions make a double fault of another. SDM Vol. 3, Table 6-5. */
export const isContributory = (vector: number): boolean =>
  vector === VECTOR.DE || (vector >= VECTOR.TS && vector <= VECTOR.GP);

/** Bits of a page-fault error code. SDM Vol. 3, 4.7. */
export const PF = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16 } as const;
