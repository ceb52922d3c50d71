import { expect, test } from 'vitest';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf, firstOf } from '../how-long.ts';
import { newNicCampaign, nicSetup, tryNics } from './hostile-driver/nics.ts';
import { throughSeeds } from './hostile-driver/through-seeds.ts';

/** 20,000 with RETROVISOR_NICS=20000; others with a RETROVISOR_SEED that is a number. */
const SEEDS = casesOf('RETROVISOR_NICS', { whole: 200, quick: 10 });
const FROM = Number.parseInt(process.env['RETROVISOR_SEED'] ?? '', 10) || 1;
const SAID_EVERY = 100;
/** One in so many is recorded, and run again from power-on. */
const RECORDED_EVERY = Math.max(10, Math.floor(SEEDS / 50));
const SECOND = 1000;
const folder = scratchFolder();

/** The first alone in `npm test`. */
const CARDS = firstOf(1, ['e1000', 'rtl8139'] as const);

test.each(CARDS)(
  `${SEEDS} drivers that are wrong now and then, and whatever comes over the wire, do not break an %s`,
  {
    timeout: 60 * SECOND + 5 * SEEDS * SECOND,
  },
  async (card) => {
    const campaign = newNicCampaign();
    const { faults } = campaign;
    await throughSeeds({
      ...{ from: FROM, count: SEEDS, setup: nicSetup(folder, card), campaign, tryOne: tryNics(card), folder },
      ...{ recordedEvery: RECORDED_EVERY, saidEvery: SAID_EVERY },
    });
    process.stdout.write(`${JSON.stringify({ ...campaign, faults: faults.length })}\n`);
    expect(faults).toEqual([]);
    // Drivers that do nothing would break nothing.
    expect(campaign.sent).toBeGreaterThan(campaign.seeds);
    expect(campaign.received).toBeGreaterThan(campaign.seeds);
  },
);
