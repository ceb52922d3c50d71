import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EventKind, EventOf } from '../../../src/events/vocabulary.ts';
import type { PendingInput } from '../../../src/machine/parts.ts';
import { Chance } from '../../oracle/devices/workloads.ts';
import type { CampaignMachine, CampaignSetup, Outcome } from './campaign-machine.ts';
import { sound } from './sound.ts';

const programOf = (card: NicName): string =>
  fileURLToPath(new URL(`../../guests/hostile-nic/${card}.elf`, import.meta.url));

/** A receiver of an 82540EM takes nothing for a second after RCTL was written: several times that. */
const MOST_NS = 8_000_000_000;

const mac = (last: number): string => `mac=52:54:00:12:34:${last.toString(16)}`;

/** Properties of four cards: of two that hear what comes from outside, and two at a hub that hear each other. */
const PROPERTIES = {
  e1000: ['', ',mitigation=off,autonegotiation=off', ',extra_mac_registers=off', ',init-vet=off'],
  rtl8139: ['', '', '', ''],
} as const;

export type NicName = keyof typeof PROPERTIES;

const NETDEVS = ['in0', 'in1', 'h0', 'h1'];

/** What is counted, by the facts that tell it. */
const COUNTED = {
  e1000: {
    sent: ['sim:e1000_transmitted'],
    received: ['sim:e1000_received'],
    overrun: ['e1000_receiver_overrun'],
    looped: ['sim:e1000_looped'],
  },
  rtl8139: {
    sent: ['sim:rtl8139_transmitted'],
    received: ['sim:rtl8139_rx_stored', 'sim:rtl8139_rx_descriptor'],
    overrun: ['sim:rtl8139_rx_overrun'],
    looped: ['sim:rtl8139_looped'],
  },
} as const satisfies Record<NicName, Record<string, readonly EventKind[]>>;

/** A capture without frames: the header of a pcap of Ethernet. */
const NO_FRAMES = Uint32Array.of(0xa1b2c3d4, 0x0004_0002, 0, 0, 0x4_0000, 1);

/** A machine with four cards. */
export function nicSetup(folder: string, name: NicName): CampaignSetup {
  const capture = join(folder, 'none.pcap');
  writeFileSync(capture, NO_FRAMES);
  return {
    mostNs: MOST_NS,
    arguments: [
      ...['-m', '16', '-nodefaults', '-serial', 'null', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
      ...['-kernel', programOf(name), '--wall-clock', '1700000000', '--seed', 'hostile nic'],
      ...[0, 1].flatMap((id) => ['-netdev', `pcap,id=in${id},file=${capture}`]),
      ...[0, 1].flatMap((id) => ['-netdev', `hubport,id=h${id},hubid=0`]),
      ...PROPERTIES[name].flatMap((more, at) => ['-device', `${name},netdev=${NETDEVS[at]!},${mac(0x56 + at)}${more}`]),
    ],
  };
}

const FRAMES = 24;
const LENGTHS = [0, 1, 13, 14, 59, 60, 64, 1514, 1518, 1522, 1523, 9000, 16_384, 16_385, 65_535, 70_000];
const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/** What comes from outside while a seed runs. */
export function framesOf(name: NicName, seed: number, now: number): PendingInput[] {
  const chance = new Chance(seed);
  let ns = now;
  return Array.from({ length: FRAMES }, (_, at) => {
    ns += chance.below(chance.coin ? 1_000 : 400_000_000);
    if (at % 8 === 7) {
      const client = `${name}.${chance.below(4)}`;
      return { ns, event: { kind: 'sim:link_set', client, up: chance.coin } } as const;
    }
    if (at % 8 === 3) return { ns, event: announcement(name, chance) } as const;
    return { ns, event: { kind: 'sim:frame_received', dev: `pcap#${chance.below(2)}`, bytes: frame(chance) } } as const;
  });
}

/** Cards are announced while a driver does what it does. */
function announcement(name: NicName, chance: Chance): EventOf<'sim:announce_asked'> {
  const interfaces = chance.coin ? '' : `${name}.${chance.below(4)}`;
  const times = { initial: chance.below(300), max: chance.below(600), step: 1 + chance.below(300) };
  return { kind: 'sim:announce_asked', interfaces, id: `${chance.below(2)}`, rounds: chance.below(5), ...times };
}

function frame(chance: Chance): Uint8Array {
  const to = chance.of([
    BROADCAST,
    [0x52, 0x54, 0, 0x12, 0x34, 0x56 + chance.below(2)],
    [1, 0, 0x5e, 0, 0, chance.below(256)],
  ]);
  const type = chance.coin ? [0x81, 0, chance.below(256), chance.below(256)] : [0x88, 0xb5];
  const bytes = new Uint8Array(chance.of([...LENGTHS, chance.below(2000)])).fill(chance.below(256));
  for (const [at, byte] of [...to, 2, 0, 0, 0, 0, 1, ...type].entries()) if (at < bytes.length) bytes[at] = byte;
  return bytes;
}

/** What a number of seeds came to. */
export interface NicCampaign {
  seeds: number;
  events: number;
  sent: number;
  received: number;
  overrun: number;
  looped: number;
  readonly ends: Record<string, number>;
  /** What is wrong, by seed. */
  readonly faults: string[];
}

export const newNicCampaign = (): NicCampaign => ({
  ...{ seeds: 0, events: 0, sent: 0, received: 0, overrun: 0, looped: 0 },
  ends: {},
  faults: [],
});

/** What a state may hold, and what one seed may tell. */
const MOST_VALUES = 60_000;
/** 32 MiB may wait for a client (`vmm/net/wire.ts`), and as much for the other at a hub. */
const MOST_TEXT = 2 * 2 ** 25 + 4_000_000;
/** An exit is some ten events, and a seed has two million instructions of which each may be one. */
const MOST_EVENTS = 20_000_000;
const LIMITS = { events: MOST_EVENTS, values: MOST_VALUES, text: MOST_TEXT };

/** Run a seed and look at everything that must hold. */
export const tryNics =
  (name: NicName) =>
  (machine: CampaignMachine, seed: number, campaign: NicCampaign): Outcome | undefined => {
    const outcome = sound(campaign, seed, machine, LIMITS, () =>
      machine.run(seed, undefined, (now) => framesOf(name, seed, now)),
    );
    if (outcome === undefined) return undefined;
    const { events, why } = outcome;
    campaign.events += events.length;
    campaign.ends[why] = (campaign.ends[why] ?? 0) + 1;
    for (const what of ['sent', 'received', 'overrun', 'looped'] as const) {
      const kinds: readonly EventKind[] = COUNTED[name][what];
      campaign[what] += events.filter(({ event }) => kinds.includes(event.kind)).length;
    }
    return outcome;
  };
