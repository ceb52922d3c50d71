import { Conservation, type Conserved, originalsOf } from '../../oracle/conservation/conservation.ts';
import type { CampaignMachine, Outcome } from './campaign-machine.ts';

/** What a number of seeds came to. */
export interface Campaign {
  seeds: number;
  events: number;
  /** Seeds of which a device was at work (DRIVER_OK), and took a descriptor then. */
  worked: number;
  /** Chains of descriptors, sectors read that were compared, and written. */
  popped: number;
  read: number;
  written: number;
  /** Frames sent and received that were compared. */
  sent: number;
  received: number;
  /** Seeds in which a device found a driver's mistake. */
  broken: number;
  readonly ends: Record<string, number>;
  /** What is wrong, by seed. */
  readonly faults: string[];
}

export const newCampaign = (): Campaign => ({
  ...{ seeds: 0, events: 0, worked: 0, popped: 0, read: 0, written: 0, sent: 0, received: 0, broken: 0 },
  ends: {},
  faults: [],
});

/** Containers and values a state may have, and pages its drives may hold of their own. */
const MOST_VALUES = 40_000;
/** More: for each of three cards so many packets may wait, of four values each. */
const MOST_WAITING = 3 * 10_000 * 4;
const MOST_EVENTS = 2_000_000;

/** Run a seed and look at everything that must hold. */
export function tryOne(machine: CampaignMachine, seed: number, campaign: Campaign): Outcome | undefined {
  campaign.seeds += 1;
  const fault = (what: string): void => void campaign.faults.push(`seed ${seed}: ${what}`);
  const conservation = new Conservation(machine.machine, originalsOf(machine.images));
  let outcome: Outcome;
  try {
    outcome = machine.run(seed, conservation);
  } catch (error) {
    fault(`the simulator broke: ${error instanceof Error ? error.stack : String(error)}`);
    return undefined;
  }
  conservation.checkDrives();
  conservation.result.violations.forEach(fault);
  const unstorable = outcome.events.find(({ event }) => Object.values(event).some(isNoInteger));
  if (unstorable !== undefined) fault(`event ${unstorable.seq}, ${unstorable.event.kind}, has a number that is none`);
  const unfolded = machine.folds(outcome);
  if (unfolded !== undefined) fault(unfolded);
  if (outcome.events.length > MOST_EVENTS) fault(`it made ${outcome.events.length} events`);
  const values = valuesOf(outcome.state);
  if (values > MOST_VALUES + MOST_WAITING) fault(`the state has grown to ${values} values`);
  count(campaign, outcome, conservation.result);
  return outcome;
}

/** What no trace can hold. */
const isNoInteger = (value: unknown): boolean => typeof value === 'number' && !Number.isInteger(value);

function count(campaign: Campaign, { events, why }: Outcome, conserved: Conserved): void {
  const { popped, sectorsRead, sectorsWritten, framesSent, framesReceived } = conserved;
  campaign.events += events.length;
  campaign.popped += popped;
  campaign.read += sectorsRead;
  campaign.written += sectorsWritten;
  campaign.sent += framesSent;
  campaign.received += framesReceived;
  campaign.ends[why] = (campaign.ends[why] ?? 0) + 1;
  const atWork = events.findIndex(({ event }) => event.kind === 'virtio_set_status' && (event.val & 4) !== 0);
  if (atWork >= 0 && events.some(({ event }, at) => at > atWork && event.kind === 'virtqueue_pop'))
    campaign.worked += 1;
  if (events.some(({ event }) => event.kind === 'sim:virtio_error')) campaign.broken += 1;
}

/** How many values a plain state is made of. */
function valuesOf(state: unknown): number {
  if (typeof state !== 'object' || state === null || state instanceof Uint8Array) return 1;
  let sum = 1;
  for (const value of Object.values(state)) sum += valuesOf(value);
  return sum;
}
