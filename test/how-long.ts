/** Whether a release is tested: `RETROVISOR_ALL=2`, which leaves nothing out and takes hours. */
const IS_RELEASE = process.env['RETROVISOR_ALL'] === '2';

/** Whether this run is `npm run test:all` or `.ci/run`, which leave out only what LONGEST marks. */
export const IS_WHOLE = IS_RELEASE || process.env['RETROVISOR_ALL'] === '1';

/** Marks a test, or a `describe`, that only `npm run test:all` runs: `test('...', LONG, () => ...)`. */
export const LONG = { tags: 'long' };

/** Marks one that takes minutes and has a shorter one of its kind beside it: only a release is tested by it. */
export const LONGEST = { tags: ['long', 'longest'] };

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

/** The same for rows that take minutes each: the first ones in `npm run test:all`, all where a release is tested. */
export const firstOfLongest = <T>(whole: number, rows: readonly T[]): T[] =>
  rows.slice(0, IS_RELEASE ? rows.length : whole);
