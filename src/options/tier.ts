import { HANDLERS_ONLY, type TierOptions, TRANSLATED } from '../engine/index.ts';
import { UsageProblem } from './usage.ts';

/** Words of `--tier` by what they say, and the most each may say. */
const NUMBERS = { threshold: 65_535, batch: 256, limit: 4096 } as const;

const isNumber = (name: string | undefined): name is keyof typeof NUMBERS => name !== undefined && name in NUMBERS;

/** `handlers`, or `translated[,threshold=N][,batch=N][,limit=N]`. */
export function tierOf(text: string): TierOptions {
  const [word, ...rest] = text.split(',');
  if (word === 'handlers' && rest.length === 0) return HANDLERS_ONLY;
  if (word !== 'translated') {
    throw new UsageProblem(
      `--tier ${text}: there are the tiers handlers and translated[,threshold=N][,batch=N][,limit=N].`,
    );
  }
  return rest.reduce((tier, each) => ({ ...tier, ...numberOf(each, text) }), TRANSLATED);
}

function numberOf(each: string, text: string): Partial<TierOptions> {
  const [name, value] = each.split('=');
  if (!isNumber(name))
    throw new UsageProblem(`--tier ${text}: translated takes threshold=, batch= and limit=, not ${each}.`);
  const most = NUMBERS[name];
  if (!/^\d+$/.test(value ?? '') || Number(value) < 1 || Number(value) > most) {
    throw new UsageProblem(`--tier ${text}: ${name} is a number from 1 to ${most}.`);
  }
  return { [name]: Number(value) };
}
