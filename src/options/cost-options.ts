import { COST_NAMES, COSTS, type CostName, type Costs, costsWith } from '../events/costs.ts';
import { MOST } from '../vmm/limits.ts';
import { commaValue, wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** The names `--cost` knows, with what they are at if it is silent. */
export const costList = (): string =>
  COST_NAMES.map((name) => `${name} (${COSTS[name].what}; ${COSTS[name].usual})`).join(', ');

const isCost = (name: string): name is CostName => COST_NAMES.includes(name as CostName);

/** `--cost NAME=NS`, also several with commas between; of a name given twice the last holds. */
export function costsAsked(values: readonly string[] = []): Costs {
  const given: Partial<Record<CostName, number>> = {};
  for (const text of values) {
    const { name: bare, properties } = commaValue(text);
    if (bare !== undefined) throw new UsageProblem(`--cost ${text}: write NAME=NS, like --cost exit=600.`);
    for (const [name, ns] of properties) {
      if (!isCost(name)) {
        throw new UsageProblem(`--cost ${text}: there is no cost '${name}'. There are ${COST_NAMES.join(', ')}.`);
      }
      given[name] = wholeNumber(`--cost ${name}`, ns, COSTS[name].least, MOST.costNs);
    }
  }
  return costsWith(given);
}
