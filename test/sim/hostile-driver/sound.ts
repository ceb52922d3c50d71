import type { CampaignMachine, Outcome } from './campaign-machine.ts';

/** What a campaign counts of every seed. */
interface Counted {
  seeds: number;
  /** What is wrong, by seed. */
  readonly faults: string[];
}

/** What one seed may tell, and what its state may hold at the end: values, and characters of text. */
export interface Limits {
  readonly events: number;
  readonly values: number;
  readonly text?: number;
}

/** Run a seed and look at what must hold whatever is run. Undefined: it broke the simulator, which is a fault, too. */
export function sound(
  campaign: Counted,
  seed: number,
  machine: CampaignMachine,
  limits: Limits,
  run: () => Outcome,
): Outcome | undefined {
  campaign.seeds += 1;
  const fault = (what: string): void => void campaign.faults.push(`seed ${seed}: ${what}`);
  let outcome: Outcome;
  try {
    outcome = run();
  } catch (error) {
    fault(`the simulator broke: ${error instanceof Error ? error.stack : String(error)}`);
    return undefined;
  }
  const { events, state } = outcome;
  const unstorable = events.find(({ event }) => Object.values(event).some(isNoInteger));
  if (unstorable !== undefined) fault(`event ${unstorable.seq}, ${unstorable.event.kind}, has a number that is none`);
  const unfolded = machine.folds(outcome);
  if (unfolded !== undefined) fault(unfolded);
  if (events.length > limits.events) fault(`it made ${events.length} events`);
  const size = sizeOf(state);
  const { values, text = Number.POSITIVE_INFINITY } = limits;
  if (size.values > values || size.text > text) fault(`the state has grown: ${JSON.stringify(size)}`);
  return outcome;
}

/** What no trace can hold. */
const isNoInteger = (value: unknown): boolean => typeof value === 'number' && !Number.isInteger(value);

/** How many values a plain state is made of, and how many characters of text. */
function sizeOf(state: unknown): { values: number; text: number } {
  if (typeof state === 'string') return { values: 1, text: state.length };
  if (typeof state !== 'object' || state === null || state instanceof Uint8Array) return { values: 1, text: 0 };
  const size = { values: 1, text: 0 };
  for (const value of Object.values(state)) {
    const more = sizeOf(value);
    size.values += more.values;
    size.text += more.text;
  }
  return size;
}
