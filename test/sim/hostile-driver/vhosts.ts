import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EventKind } from '../../../src/events/vocabulary.ts';
import type { PendingInput } from '../../../src/machine/parts.ts';
import { Chance } from '../../oracle/devices/workloads.ts';
import type { CampaignMachine, CampaignSetup, Outcome } from './campaign-machine.ts';
import { sound } from './sound.ts';

const PROGRAM = fileURLToPath(new URL('../../guests/hostile-driver/driver.elf', import.meta.url));

/** Cards whose rings the kernel serves, all on one bridge: what one sends the others hear. */
const CARDS = [
  '',
  ',disable-legacy=on,ioeventfd=off',
  ',disable-modern=on,vectors=0,mq=on',
  ',event_idx=off,indirect_desc=off',
  ',mrg_rxbuf=off,vectors=2,rx_queue_size=1024',
  ',page-per-vq=on',
  ',mq=on',
] as const;
/** Their taps have several queues. */
const QUEUES: Readonly<Record<number, number>> = { 2: 2, 6: 3 };
/** One of them is handed no headers. */
const BARE = 1;

const MOST_NS = 200_000_000;

/** A capture without frames: the header of a pcap of Ethernet. */
const NO_FRAMES = Uint32Array.of(0xa1b2c3d4, 0x0004_0002, 0, 0, 0x4_0000, 1);

const tap = (at: number): string =>
  `tap,id=n${at},vhost=on,queues=${QUEUES[at] ?? 1}${at === BARE ? ',vnet_hdr=off' : ''}`;

/** A machine with such cards, and somebody on the bridge who floods them. */
export function vhostSetup(folder: string): CampaignSetup {
  const capture = join(folder, 'none.pcap');
  writeFileSync(capture, NO_FRAMES);
  return {
    mostNs: MOST_NS,
    arguments: [
      ...['-m', '16', '-nodefaults', '-serial', 'null', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
      ...['-kernel', PROGRAM, '--wall-clock', '1700000000', '--seed', 'hostile vhost'],
      ...['-netdev', `pcap,id=in,file=${capture}`, '--bridge', 'br0,ports=in'],
      ...CARDS.flatMap((more, at) => ['-netdev', tap(at), '-device', `virtio-net-pci,netdev=n${at}${more}`]),
    ],
  };
}

const FRAMES = 200;
const LENGTHS = [0, 1, 14, 60, 1514, 9000, 65_000];

/** Frames from outside, and cables that are pulled, while a seed runs; of every other seed memory is logged. */
function inputsOf(seed: number, now: number): PendingInput[] {
  const chance = new Chance(seed);
  let ns = now;
  const logged = { ns, event: { kind: 'sim:dirty_rate_asked', seconds: 1 } } as const;
  const frames = Array.from({ length: FRAMES }, (_, at): PendingInput => {
    ns += chance.below(chance.coin ? 1_000 : 400_000);
    if (at % 50 === 49) {
      const client = chance.coin ? `n${chance.below(CARDS.length)}` : `virtio-net-pci.${chance.below(CARDS.length)}`;
      return { ns, event: { kind: 'sim:link_set', client, up: chance.coin } } as const;
    }
    const bytes = new Uint8Array(chance.of([...LENGTHS, chance.below(2000)])).fill(0xff);
    return { ns, event: { kind: 'sim:frame_received', dev: 'pcap#0', bytes } } as const;
  });
  return seed % 2 === 0 ? frames : [logged, ...frames];
}

/** What a number of seeds came to. */
export interface VhostCampaign {
  seeds: number;
  events: number;
  started: number;
  sent: number;
  received: number;
  errors: number;
  fallbacks: number;
  readonly ends: Record<string, number>;
  /** What is wrong, by seed. */
  readonly faults: string[];
}

export const newVhostCampaign = (): VhostCampaign => ({
  ...{ seeds: 0, events: 0, started: 0, sent: 0, received: 0, errors: 0, fallbacks: 0 },
  ends: {},
  faults: [],
});

/** 500 frames may wait at each tap, and 1,000 on the bridge. */
const LIMITS = { events: 2_000_000, values: 120_000 };

/** Run a seed and look at everything that must hold. */
export function tryVhosts(machine: CampaignMachine, seed: number, campaign: VhostCampaign): Outcome | undefined {
  const outcome = sound(campaign, seed, machine, LIMITS, () =>
    machine.run(seed, undefined, (now) => inputsOf(seed, now)),
  );
  if (outcome === undefined) return undefined;
  const { events, why } = outcome;
  const count = (...kinds: readonly EventKind[]): number =>
    events.filter(({ event }) => kinds.includes(event.kind)).length;
  campaign.events += events.length;
  campaign.started += count('vhost_dev_start');
  campaign.errors += count('sim:vhost_error');
  campaign.fallbacks += count('sim:vhost_refused');
  campaign.ends[why] = (campaign.ends[why] ?? 0) + 1;
  for (const { event } of events) {
    if (event.kind !== 'sim:vhost_get_desc') continue;
    if (event.queue === 1) campaign.sent += 1;
    else campaign.received += 1;
  }
  return outcome;
}
