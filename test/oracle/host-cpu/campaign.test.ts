import { afterAll, describe, expect, test } from 'vitest';
import { casesOf } from '../../how-long.ts';
import { noteAside, stepAside, without } from '../../stepping-aside.ts';
import { campaign } from './campaign.ts';
import { isHost, openHostCpu } from './host.ts';
import { freshEngine, showFindings } from './run.ts';

const host = openHostCpu();
afterAll(() => isHost(host) && host.close());

/** Half of them in 64-bit code. */
const CASES = casesOf('RETROVISOR_CASES', { whole: 20_000, quick: 4_000 });
const SEED = process.env['RETROVISOR_SEED'] ?? 'campaign';
/** A million cases take minutes. */
const TIMEOUT = 60_000 + CASES * 6;
/** Forms of instructions that the catalogue makes cases of, in each mode. */
const FORMS = Math.min(900, CASES / 8);

describe(`random instructions, ${CASES} cases, seed ${SEED}`, without(isHost(host) ? undefined : host), () => {
  test.each([64, 32, 16] as const)(
    'leave the host processor and ours in equal states, flags, faults, x87 and vectors included, in %d-bit code',
    (bitness) => {
      if (!isHost(host)) return;
      const different = host.areas.ofCode(bitness);
      if (different !== undefined) stepAside(different);
      const cases = CASES / (bitness === 64 ? 2 : 4);
      const findings = campaign({ seed: SEED, cases, bitness }, freshEngine(), host);
      console.log(showFindings(`${bitness}-bit`, findings));
      noteAside(...findings.asides);
      expect(findings.reports).toEqual([]);
      expect(findings.cases).toBe(Math.ceil(cases));
      if (findings.asides.length === 0) expect(findings.tried).toBeGreaterThan(FORMS);
    },
    TIMEOUT,
  );
});
