import seedrandom from 'seedrandom';
import type { Chance } from '../../machine/parts.ts';

/** Named streams of chance: each number of each is drawn for itself, so that none depends on what was drawn before. */
export const CHANCE: Chance = {
  int32: (seed, name, n) => seedrandom.alea(`${seed}/${name}/${n}`).int32(),
};
