import { campaign, type Findings, type Plan } from './campaign.ts';
import type { Guest } from '../../../src/kvm/guest.ts';
import { hostCpuMissing, openHostCpu } from './host.ts';

/** Random cases in both modes on a fresh processor each. */
export function runCampaigns(newGuest: () => Guest, plan: Omit<Plan, 'bitness'>): Findings[] {
  const host = openHostCpu();
  try {
    return ([64, 32, 16] as const).map((bitness) => {
      const cases = Math.ceil((plan.cases * (bitness === 64 ? 2 : 1)) / 4);
      return campaign({ ...plan, cases, bitness }, newGuest(), host);
    });
  } finally {
    host.close();
  }
}
