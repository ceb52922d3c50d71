import { Chance } from '../workloads.ts';
import type { Say, Station } from './station.ts';

const STEPS = 2500;

/** What chance has a driver do, step by step; now and then it is said whether the card asks for an interrupt. */
export async function randomSteps<S extends Pick<Station, 'place' | 'isRaised'>>(
  seed: number,
  station: S,
  say: Say,
  step: (station: S, chance: Chance, say: Say) => Promise<void>,
): Promise<void> {
  await station.place();
  const chance = new Chance(seed);
  for (let count = 0; count < STEPS; count++) {
    await step(station, chance, say);
    if (count % 8 === 0) say(`raised ${await station.isRaised()}`);
  }
}
