/** Whether this run is `npm run test:all`, which leaves nothing out. */
export const IS_WHOLE = process.env['RETROVISOR_ALL'] === '1';

/** Marks a test, or a `describe`, that only `npm run test:all` runs: `test('...', LONG, () => ...)`. */
export const LONG = { tags: 'long' };

/** How many cases `npm run test:all` tries, and `npm test`. */
export interface Cases {
  readonly whole: number;
  readonly quick: number;
}

/** How many random cases to try: what the environment variable says, or else the usual number of this run. */
export function casesOf(variable: string, { whole, quick }: Cases): number {
  const wanted = process.env[variable];
  return wanted === undefined ? (IS_WHOLE ? whole : quick) : Number(wanted);
}

/** Rows of a table of tests: the first ones in `npm test`, all of them in `npm run test:all`. */
export const firstOf = <T>(quick: number, rows: readonly T[]): T[] => rows.slice(0, IS_WHOLE ? rows.length : quick);
