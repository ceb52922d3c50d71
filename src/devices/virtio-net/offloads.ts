import { FEATURE } from './registers.ts';
import { headerBytes } from './state.ts';
import type { Net } from './transmit.ts';

/** TUN_F_*, by the features that say the same. */
const OFFLOADS = [
  [FEATURE.guestChecksum, 1],
  [FEATURE.guestTso4, 2],
  [FEATURE.guestTso6, 4],
  [FEATURE.guestEcn, 8],
  [FEATURE.guestUfo, 0x10],
] as const;

/** What a driver takes that is not done: the peer hears of it. tap_fd_set_offload. */
export function offloadsTaken({ state, effects }: Net, [low] = state.features): void {
  const has = (feature: number): boolean => (low & (1 << feature)) !== 0;
  const segments = has(FEATURE.guestTso4) || has(FEATURE.guestTso6);
  const flags = OFFLOADS.reduce((sum, [feature, flag]) => {
    return has(feature) && (feature !== FEATURE.guestEcn || segments) ? sum | flag : sum;
  }, 0);
  effects.setOffloads(has(FEATURE.guestChecksum) ? flags : 0, headerBytes(state));
}
