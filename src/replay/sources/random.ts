import seedrandom from 'seedrandom';
import type { Chance } from '../../machine/parts.ts';
import type { RandomState } from '../../reducers/state.ts';

/**
 * Named streams of chance: `seedrandom.alea` with its state kept by the machine, so that a restored checkpoint draws
 * on from where it stood. A stream's draws do not depend on how much other streams were used.
 */
export const CHANCE: Chance = {
  start: (seed, name) => ({ ...seedrandom.alea(`${seed}/${name}`, { state: true }).state() }) as unknown as RandomState,
  int32(state) {
    const stream = seedrandom.alea('', { state: state as unknown as seedrandom.State.Alea });
    const value = stream.int32();
    Object.assign(state, stream.state());
    return value;
  },
};
