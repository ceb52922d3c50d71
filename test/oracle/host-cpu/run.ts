import { parseArgs } from 'node:util';
import { createEngine } from '../../../src/engine/index.ts';
import { instantiate } from '../../../src/host/wasm.ts';
import { campaign, type Findings, type Plan } from './campaign.ts';
import type { Guest } from '../../../src/x86/guest.ts';
import { type HostCpu, isHost, openHostCpu } from './host.ts';

/** Random cases in all three modes on a fresh processor each. */
export function runCampaigns(host: HostCpu, newGuest: () => Guest, plan: Omit<Plan, 'bitness'>): Findings[] {
  return ([64, 32, 16] as const).map((bitness) => {
    const cases = Math.ceil((plan.cases * (bitness === 64 ? 2 : 1)) / 4);
    return campaign({ ...plan, cases, bitness }, newGuest(), host);
  });
}

/** An engine on its own, with 16 MB of memory. */
export function freshEngine(): Guest {
  return createEngine({ hostBytes: 16 << 20, instantiate, hostTsc: () => 0n, tscPerTick: 16, random: () => 0n });
}

/** What a campaign found, for a person. */
export function showFindings(name: string, { cases, mismatches, byForm, reports, tried, asides }: Findings): string {
  const lines = [`${name}: ${cases} cases of ${tried} forms, ${mismatches} mismatches in ${byForm.size} forms`];
  lines.push(...asides.map(({ what, why }) => `not compared: ${what}: ${why}`), ...reports);
  return lines.join('\n');
}

if (process.argv[1]?.endsWith('host-cpu/run.ts')) {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
    },
  });
  const host = openHostCpu();
  if (!isHost(host)) {
    console.error(`${host.what}: ${host.why}`);
    process.exit(2);
  }
  const only = values.only === undefined ? {} : { only: new RegExp(values.only) };
  const findings = runCampaigns(host, freshEngine, { seed: values.seed, cases: Number(values.cases), ...only });
  host.close();
  for (const [i, name] of ['64-bit', '32-bit', '16-bit'].entries()) console.log(showFindings(name, findings[i]!));
  process.exit(findings.some(({ mismatches }) => mismatches > 0) ? 1 : 0);
}
