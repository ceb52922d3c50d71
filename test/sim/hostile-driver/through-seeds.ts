import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { replay } from '../../../src/api/index.ts';
import { CampaignMachine, type CampaignSetup, type Outcome } from './campaign-machine.ts';

/** More are of no use to anybody. */
const MOST_FAULTS = 20;

/** Which seeds are tried, and how. */
export interface Seeds<C> {
  readonly from: number;
  readonly count: number;
  readonly setup: CampaignSetup;
  readonly campaign: C;
  /** Run one and look at everything that must hold; undefined: the machine is of no use any more. */
  tryOne(machine: CampaignMachine, seed: number, campaign: C): Outcome | undefined;
  /** One in so many is recorded, and run again from power-on. */
  readonly recordedEvery: number;
  readonly saidEvery: number;
  readonly folder: string;
}

/** Try seed after seed, in one machine as long as that holds. */
export async function throughSeeds<C extends { readonly seeds: number; readonly faults: readonly string[] }>({
  campaign,
  setup,
  folder,
  ...seeds
}: Seeds<C>): Promise<void> {
  const { faults } = campaign;
  let machine = new CampaignMachine(setup);
  for (let seed = seeds.from; seed < seeds.from + seeds.count && faults.length < MOST_FAULTS; seed += 1) {
    const outcome = seeds.tryOne(machine, seed, campaign);
    if (outcome === undefined) machine = new CampaignMachine(setup);
    else if (campaign.seeds % seeds.recordedEvery === 0) {
      const trace = join(folder, `${seed}.trace`);
      machine.record(outcome, trace);
      const { agreed, events, divergence, damage } = await replay(trace);
      expect({ seed, agreed, divergence, damage }).toMatchObject({ agreed: events });
      expect({ seed, divergence, damage }).toEqual({ seed });
      rmSync(trace);
    }
    if (campaign.seeds % seeds.saidEvery === 0) {
      process.stdout.write(`${campaign.seeds} drivers: ${faults.length} faults\n`);
    }
  }
}
