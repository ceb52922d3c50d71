import { afterAll, describe, expect, test } from 'vitest';
import { casesOf } from '../../how-long.ts';
import { noteAside, stepAside, without } from '../../stepping-aside.ts';
import { differences, report } from './compare.ts';
import { families } from './families.ts';
import { isHost, openHostCpu } from './host.ts';
import { ourCpu } from './ours.ts';
import { DIED } from './record.ts';
import { freshEngine } from './run.ts';

const host = openHostCpu();
afterAll(() => isHost(host) && host.close());

/** So many of each family, spread over all of it. */
const CASES = casesOf('RETROVISOR_FAMILY_CASES', { whole: 20_000, quick: 150 });
const TIMEOUT = 60_000 + CASES * 10;

describe('every case of a family', without(isHost(host) ? undefined : host), () => {
  test.each(families())(
    'leaves the host processor and ours in equal states: $name, $bitness-bit code',
    ({ bitness, cases: all }) => {
      if (!isHost(host)) return;
      const different = host.areas.ofCode(bitness);
      if (different !== undefined) stepAside(different);
      const cases = Array.from(
        { length: Math.min(CASES, all.length) },
        (_, at, count = Math.min(CASES, all.length)) => all[Math.floor((at * all.length) / count)]!,
      );
      const ours = ourCpu(freshEngine());
      const reports: string[] = [];
      let compared = 0;
      for (const [at, expected] of host.run(cases).entries()) {
        const before = cases[at]!;
        const after = ours.run(before);
        const aside = [expected.vector, after.vector]
          .map((vector) => host.areas.ofFault(vector, bitness))
          .find((each) => each !== undefined);
        if (aside !== undefined || expected.vector === DIED) {
          if (aside !== undefined) noteAside(aside);
          continue;
        }
        compared += 1;
        const lines = differences(before, after, expected);
        if (lines.length > 0) reports.push(report(before, lines));
      }
      expect(reports.slice(0, 5)).toEqual([]);
      expect(compared).toBeGreaterThan(0);
    },
    TIMEOUT,
  );
});
