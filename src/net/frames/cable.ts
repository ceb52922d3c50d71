/** What befalls frames on the cable they leave by: drawn for each when it leaves, by whoever sends it. */
import { Problem, shortly } from '../../base/problem.ts';
import { virtualNs } from '../../base/virtual-time.ts';
import type { Ns } from '../../base/units.ts';
import type { Effects, Packet } from '../../devices/device.ts';
import { type PropertiesOf, text, uint16, uint64 } from '../../devices/properties.ts';
import { delayOf, happens } from '../chance.ts';
import type { FramesState } from './state.ts';

/** As options say it. */
export interface CableSetup {
  readonly jitter: string;
  readonly loss: string;
  readonly reorder: string;
  readonly duplicate: string;
  readonly bandwidth: number;
  readonly mtu: number;
}

export const CABLE_PROPERTIES: PropertiesOf<CableSetup> = {
  jitter: text('0us', 'Each frame takes up to so much longer, like 200us'),
  loss: text('0', 'The chance that a frame is lost, from 0 to 1'),
  reorder: text('0', 'The chance that one comes 5 ms late, behind others'),
  duplicate: text('0', 'The chance that one comes twice'),
  bandwidth: uint64(0, 'Bits a second; 0: no frame waits for another'),
  mtu: uint16(0, 'Bytes behind the header of Ethernet; longer frames are lost; 0: any length'),
};

/** What a cable does. Chances are of 0 to 1, for each frame; jitter is in nanoseconds. */
interface CableRules {
  readonly jitter: number;
  readonly loss: number;
  readonly reorder: number;
  readonly duplicate: number;
  readonly bandwidth: number;
  readonly mtu: number;
}

/** What a frame may be late by: so long it is on its way, and kept. */
const MOST_JITTER_NS = 1_000_000_000;

/** Understand the options. Throws a Problem for what they cannot be. */
export function cableRules({ jitter, loss, reorder, duplicate, bandwidth, mtu }: CableSetup): CableRules {
  return {
    jitter: jitterOf(jitter),
    loss: chanceOf('loss', loss),
    reorder: chanceOf('reorder', reorder),
    duplicate: chanceOf('duplicate', duplicate),
    ...{ bandwidth, mtu },
  };
}

function jitterOf(said: string): number {
  const ns = virtualNs(said);
  if (ns !== undefined && ns <= MOST_JITTER_NS) return ns;
  throw new Problem(`-netdev frames: jitter=${shortly(said)} is no time up to 1s, like 50us or 2ms.`);
}

function chanceOf(key: string, said: string): number {
  const chance = /^\d*\.?\d+(?:e-\d+)?$/.test(said) ? Number(said) : Number.NaN;
  if (chance <= 1) return chance;
  throw new Problem(`-netdev frames: ${key}=${shortly(said)} is no chance: a number from 0 to 1 is.`);
}

/** Bytes of the header of Ethernet, with a tag of 802.1Q. */
const LONGEST_HEADER = 18;
/** What is on a wire with a frame: preamble, check sequence and gap (IEEE 802.3). */
const AROUND = 24;
const NS_PER_S = 1_000_000_000;

/** A frame that would wait longer for those before it is lost. */
const LONGEST_WAIT_NS = 100_000_000;

/** A frame leaves by a cable: once, twice, or not. */
export function leaveBy(rules: CableRules, { freeNs }: FramesState, packet: Packet, effects: Effects): void {
  const way = wayOf(rules, freeNs, packet, effects);
  const why = lostBecause(rules, way.waits, packet, effects);
  if (why !== undefined) {
    effects.dropPacket(packet, why);
    return;
  }
  leave(rules, way, packet, effects);
  if (!happens(effects, `${effects.name}.duplicate`, rules.duplicate)) return;
  effects.raise({ kind: 'sim:frame_doubled', dev: effects.name, packet: packet.number });
  leave(rules, way, packet, effects);
}

/** What a bandwidth makes of a frame: how long it waits and takes, when the cable is free then. Without one all 0. */
interface OnTheCable {
  readonly waits: Ns;
  readonly takes: Ns;
  readonly free: Ns;
}

function wayOf({ bandwidth }: CableRules, freeNs: Ns, { bytes }: Packet, { now }: Effects): OnTheCable {
  if (bandwidth === 0) return { waits: 0, takes: 0, free: 0 };
  const waits = Math.max(freeNs - now, 0);
  const takes = Math.ceil(((bytes.length + AROUND) * 8 * NS_PER_S) / bandwidth);
  return { waits, takes, free: now + waits + takes };
}

function lostBecause({ mtu, loss }: CableRules, waits: Ns, { bytes }: Packet, effects: Effects): string | undefined {
  if (mtu > 0 && bytes.length > mtu + LONGEST_HEADER) return 'too long for the cable';
  if (waits > LONGEST_WAIT_NS) return 'the cable is full';
  return happens(effects, `${effects.name}.loss`, loss) ? 'lost on the cable' : undefined;
}

function leave(rules: CableRules, { waits, takes, free }: OnTheCable, { number }: Packet, effects: Effects): void {
  const { name: dev } = effects;
  const by = waits + takes + delayOf(effects, dev, rules);
  if (by > 0) effects.raise({ kind: 'sim:frame_delayed', dev, packet: number, by, free });
  effects.raise({ kind: 'sim:frame_left', dev, packet: number });
}
