import { Problem } from '../base/problem.ts';
import type { World } from '../runs/world.ts';

/** Says which tier of the engine runs code, for this process and those it starts: the words of `--tier`. */
export const TIER_VARIABLE = 'RETROVISOR_TIER';

/** What may be said of the second tier, and the most it may be. */
const NUMBERS = { threshold: 65_535, batch: 256, limit: 4096 } as const;

const isNumber = (name: string | undefined): name is keyof typeof NUMBERS => name !== undefined && name in NUMBERS;

/** `handlers`, or `translated[,threshold=N][,batch=N][,limit=N]`. */
export function tierOf(text: string): World['tier'] {
  const [word, ...rest] = text.split(',');
  if (word === 'handlers' && rest.length === 0) return undefined;
  if (word !== 'translated') {
    throw new Problem(`--tier ${text}: there are the tiers handlers and translated[,threshold=N][,batch=N][,limit=N].`);
  }
  return Object.fromEntries(rest.map((each) => numberOf(each, text)));
}

function numberOf(each: string, text: string): readonly [name: string, value: number] {
  const [name, value] = each.split('=');
  if (!isNumber(name)) {
    throw new Problem(`--tier ${text}: translated takes threshold=, batch= and limit=, not ${each}.`);
  }
  if (!/^\d+$/.test(value ?? '') || Number(value) < 1 || Number(value) > NUMBERS[name]) {
    throw new Problem(`--tier ${text}: ${name} is a number from 1 to ${NUMBERS[name]}.`);
  }
  return [name, Number(value)];
}

/** The tier that is wanted of this process; undefined: the handlers alone. */
export function tierWanted(): World['tier'] {
  const wanted = process.env[TIER_VARIABLE];
  return wanted === undefined || wanted === '' ? undefined : tierOf(wanted);
}
