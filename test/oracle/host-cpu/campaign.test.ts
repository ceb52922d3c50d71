import { describe, expect, test } from 'vitest';
import { hostCpuMissing } from './host.ts';
import { freshEngine, runCampaigns, showFindings } from './run.ts';

const missing = hostCpuMissing();
if (missing !== undefined && process.env['RETROVISOR_NO_SKIP'] === '1') throw new Error(missing);
if (missing !== undefined) console.warn(`skipped: ${missing}`);

const CASES = Number(process.env['RETROVISOR_CASES'] ?? 20_000);
const SEED = process.env['RETROVISOR_SEED'] ?? 'campaign';
/** A million cases take minutes. */
const TIMEOUT = 60_000 + CASES * 6;
/** Forms of instructions that the catalogue makes cases of, in each mode. */
const FORMS = 900;

describe.skipIf(missing !== undefined)(`random instructions, ${CASES} cases, seed ${SEED}`, () => {
  test(
    'leave the host processor and ours in equal states, flags, faults, x87 and vectors included',
    () => {
      const findings = runCampaigns(freshEngine, { seed: SEED, cases: CASES });
      console.log(findings.map((found, i) => showFindings(`${[64, 32, 16][i]}-bit`, found)).join('\n'));
      expect(findings.flatMap(({ reports }) => reports)).toEqual([]);
      expect(findings.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThanOrEqual(CASES);
      for (const { tried } of findings) expect(tried).toBeGreaterThan(FORMS);
    },
    TIMEOUT,
  );
});
