import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replay } from '../../src/api/index.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf } from '../how-long.ts';
import { CampaignMachine } from './hostile-driver/campaign-machine.ts';
import { newNicCampaign, nicSetup, tryNics } from './hostile-driver/nics.ts';

/** 20,000 with RETROVISOR_NICS=20000; others with a RETROVISOR_SEED that is a number. */
const SEEDS = casesOf('RETROVISOR_NICS', { whole: 500, quick: 10 });
const FROM = Number.parseInt(process.env['RETROVISOR_SEED'] ?? '', 10) || 1;
const SAID_EVERY = 100;
/** One in so many is recorded, and run again from power-on. */
const RECORDED_EVERY = Math.max(10, Math.floor(SEEDS / 50));
const MOST_FAULTS = 20;
const SECOND = 1000;
const folder = scratchFolder();

test(`${SEEDS} drivers that are wrong now and then, and whatever comes over the wire, do not break an 82540EM`, {
  timeout: 60 * SECOND + 5 * SEEDS * SECOND,
}, async () => {
  const setup = nicSetup(folder);
  let machine = new CampaignMachine(setup);
  const campaign = newNicCampaign();
  const { faults } = campaign;
  for (let seed = FROM; seed < FROM + SEEDS && faults.length < MOST_FAULTS; seed += 1) {
    const outcome = tryNics(machine, seed, campaign);
    if (outcome === undefined) machine = new CampaignMachine(setup);
    else if (campaign.seeds % RECORDED_EVERY === 0) {
      const trace = join(folder, `${seed}.trace`);
      machine.record(outcome, trace);
      const { agreed, events, divergence, damage } = await replay(trace);
      expect({ seed, agreed, divergence, damage }).toMatchObject({ agreed: events });
      expect({ seed, divergence, damage }).toEqual({ seed });
      rmSync(trace);
    }
    if (campaign.seeds % SAID_EVERY === 0) process.stdout.write(`${campaign.seeds} drivers: ${faults.length} faults\n`);
  }
  process.stdout.write(`${JSON.stringify({ ...campaign, faults: faults.length })}\n`);
  expect(faults).toEqual([]);
  // Drivers that do nothing would break nothing.
  expect(campaign.sent).toBeGreaterThan(campaign.seeds);
  expect(campaign.received).toBeGreaterThan(campaign.seeds);
});
