import { expect, test } from 'vitest';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf } from '../how-long.ts';
import { newCampaign, tryOne } from './hostile-driver/campaign.ts';
import { CampaignMachine, virtioSetup } from './hostile-driver/campaign-machine.ts';
import { throughSeeds } from './hostile-driver/through-seeds.ts';

/** 20,000 with RETROVISOR_DRIVERS=20000; others with a RETROVISOR_SEED that is a number. */
const SEEDS = casesOf('RETROVISOR_DRIVERS', { whole: 400, quick: 20 });
const FROM = Number.parseInt(process.env['RETROVISOR_SEED'] ?? '', 10) || 1;
const SAID_EVERY = 500;
/** One in so many is recorded, and run again from power-on. */
const RECORDED_EVERY = Math.max(20, Math.floor(SEEDS / 50));
const SECOND = 1000;
/** A seed of which a driver does so. */
const WRITE_AT_RESET = 13_593;
const folder = scratchFolder();

test('a driver that resets a queue while a write is at the drive does not lose it', () => {
  const campaign = newCampaign();
  tryOne(new CampaignMachine(virtioSetup(folder)), WRITE_AT_RESET, campaign);
  expect(campaign.faults).toEqual([]);
});

test(`${SEEDS} drivers that are wrong now and then neither break virtio devices nor make them lose anything`, {
  timeout: 60 * SECOND + 5 * SEEDS * SECOND,
}, async () => {
  const campaign = newCampaign();
  const { faults, ends } = campaign;
  await throughSeeds({
    ...{ from: FROM, count: SEEDS, setup: virtioSetup(folder), campaign, tryOne: tryOne, folder },
    ...{ recordedEvery: RECORDED_EVERY, saidEvery: SAID_EVERY },
  });
  const { seeds, events, worked, popped, read, written, sent, received, broken } = campaign;
  process.stdout.write(
    `${seeds} drivers, ${events} events; ${worked} came to DRIVER_OK and had a descriptor taken, ${broken} ` +
      `were wrong; ${popped} chains, ${read} sectors read and ${written} written as said, ` +
      `${sent} frames sent and ${received} received; ${JSON.stringify(ends)}\n`,
  );
  expect(faults).toEqual([]);
  // Drivers that do nothing would break nothing.
  expect(worked).toBeGreaterThanOrEqual(seeds / 2);
  expect(broken).toBeGreaterThan(seeds / 10);
  expect(read + written).toBeGreaterThan(seeds);
});
