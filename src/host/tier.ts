/** Says which tier of the engine runs code, for this process and those it starts; see `options/tier.ts`. */
export const TIER_VARIABLE = 'RETROVISOR_TIER';
