import { expect, test } from 'vitest';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf } from '../how-long.ts';
import { throughSeeds } from './hostile-driver/through-seeds.ts';
import { newVhostCampaign, tryVhosts, vhostSetup } from './hostile-driver/vhosts.ts';

/** 20,000 with RETROVISOR_VHOSTS=20000; others with a RETROVISOR_SEED that is a number. */
const SEEDS = casesOf('RETROVISOR_VHOSTS', { whole: 150, quick: 5 });
const FROM = Number.parseInt(process.env['RETROVISOR_SEED'] ?? '', 10) || 1;
const SAID_EVERY = 100;
/** One in so many is recorded, and run again from power-on. */
const RECORDED_EVERY = Math.max(10, Math.floor(SEEDS / 50));
const SECOND = 1000;
const folder = scratchFolder();

test(`${SEEDS} drivers that are wrong now and then, and a peer that floods, do not break the kernel's workers`, {
  timeout: 60 * SECOND + 5 * SEEDS * SECOND,
}, async () => {
  const campaign = newVhostCampaign();
  const { faults } = campaign;
  await throughSeeds({
    ...{ from: FROM, count: SEEDS, setup: vhostSetup(folder), campaign, tryOne: tryVhosts, folder },
    ...{ recordedEvery: RECORDED_EVERY, saidEvery: SAID_EVERY },
  });
  process.stdout.write(`${JSON.stringify({ ...campaign, faults: faults.length })}\n`);
  expect(faults).toEqual([]);
  // Drivers that do nothing would break nothing.
  expect(campaign.started).toBeGreaterThan(campaign.seeds / 2);
  expect(campaign.sent + campaign.received).toBeGreaterThan(campaign.seeds);
});
