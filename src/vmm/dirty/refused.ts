import type { DirtyState } from './state.ts';

/** Seconds a measurement takes, as QEMU 7.2 bounds them. */
const SECONDS = { least: 1, most: 60 } as const;

/** Why a measurement cannot be, in QEMU's words; undefined: it can. */
export function refusedDirtyRate(dirty: DirtyState | undefined, seconds: number): string | undefined {
  if (dirty?.status === 'measuring') return 'the dirty rate is already being measured.';
  if (seconds >= SECONDS.least && seconds <= SECONDS.most) return undefined;
  return `calc-time is out of range[${SECONDS.least}, ${SECONDS.most}].`;
}
