/** How a run and the person before it share time. */

/** How long guests run between two looks at the outside. */
export const SLICE_MS = 15;
/** How long it is waited for what may come from there. */
export const LONGEST_WAIT_MS = 250;
/** Idle time is not skipped for ever: a guest that says nothing for so long has nothing left to do. */
export const SILENCE_SKIPPED_NS = 60e9;
