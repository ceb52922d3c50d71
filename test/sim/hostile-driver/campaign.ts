import { Conservation, type Conserved, originalsOf } from '../../oracle/conservation/conservation.ts';
import type { CampaignMachine, Outcome } from './campaign-machine.ts';
import { sound } from './sound.ts';

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
const LIMITS = { events: 2_000_000, values: MOST_VALUES + MOST_WAITING };

/** Run a seed and look at everything that must hold. */
export function tryOne(machine: CampaignMachine, seed: number, campaign: Campaign): Outcome | undefined {
  const conservation = new Conservation(machine.machine, originalsOf(machine.images));
  const outcome = sound(campaign, seed, machine, LIMITS, () => machine.run(seed, conservation));
  if (outcome === undefined) return undefined;
  conservation.checkDrives();
  campaign.faults.push(...conservation.result.violations.map((what) => `seed ${seed}: ${what}`));
  count(campaign, outcome, conservation.result);
  return outcome;
}

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
