/** Indices of what every emitted function may call: imports first, then the functions all share (`handlers.ts`). */
export const FN = { translate: 0, commit: 1, resolve: 2, assist: 3, lookup: 4, branch: 5, segment: 6 } as const;

/** Assist number that means: branches have been taken to this record often. It says what to go on with. */
export const ASSIST_HOT = 5;

/** Indices of the globals. */
export const GLOBAL = { ticks: 0, fault: 1, context: 2 } as const;
