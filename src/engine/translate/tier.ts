/** When code is translated, and how much of it at once. Neither a guest nor who watches it can tell. */
export interface TierOptions {
  /** Taken branches to an instruction after which code is translated from there on; 0: never. At most 65,535. */
  readonly threshold: number;
  /** Regions that are compiled together. */
  readonly batch: number;
  /** Most instructions of a region. */
  readonly limit: number;
}

/** Nothing is translated: the handlers run it all. */
const HANDLERS_ONLY: TierOptions = { threshold: 0, batch: 1, limit: 1 };

/** What pays on a Linux that boots: what is executed less often costs more to translate than it saves. */
const TRANSLATED: TierOptions = { threshold: 2000, batch: 16, limit: 300 };

/** What is wanted, and the rest as usual; undefined: the handlers alone. */
export const tierWith = (wanted: Partial<TierOptions> | undefined): TierOptions =>
  wanted === undefined ? HANDLERS_ONLY : { ...TRANSLATED, ...wanted };
