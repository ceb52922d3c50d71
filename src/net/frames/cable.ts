/** What befalls frames on the cable they leave by: drawn for each when it leaves, by whoever sends it. */
import { Problem, shortly } from '../../base/problem.ts';
import { virtualNs } from '../../base/virtual-time.ts';
import type { Effects, Packet } from '../../devices/device.ts';
import { type PropertiesOf, text, uint16, uint64 } from '../../devices/properties.ts';
import { drawn, happens, OVERTAKEN_BY } from '../chance.ts';
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

/** A frame leaves by a cable: lost, late, once or twice. */
export function leaveBy(rules: CableRules, { freeNs }: FramesState, packet: Packet, effects: Effects): void {
  const { bandwidth, mtu } = rules;
  const { length } = packet.bytes;
  const lost = (why: string): void => effects.dropPacket(packet, why);
  if (mtu > 0 && length > mtu + LONGEST_HEADER) return lost('too long for the cable');
  const waits = bandwidth === 0 ? 0 : Math.max(freeNs - effects.now, 0);
  if (waits > LONGEST_WAIT_NS) return lost('the cable is full');
  if (happens(effects, `${effects.name}.loss`, rules.loss)) return lost('lost on the cable');
  const takes = bandwidth === 0 ? 0 : Math.ceil(((length + AROUND) * 8 * NS_PER_S) / bandwidth);
  const free = bandwidth === 0 ? 0 : effects.now + waits + takes;
  const leave = (): void => {
    const by = waits + takes + delayOf(rules, effects);
    const { name: dev } = effects;
    if (by > 0) effects.raise({ kind: 'sim:frame_delayed', dev, packet: packet.number, by, free });
    effects.raise({ kind: 'sim:frame_left', dev, packet: packet.number });
  };
  leave();
  if (!happens(effects, `${effects.name}.duplicate`, rules.duplicate)) return;
  effects.raise({ kind: 'sim:frame_doubled', dev: effects.name, packet: packet.number });
  leave();
}

/** How much later than others a frame comes. */
function delayOf({ jitter, reorder }: CableRules, effects: Effects): number {
  const late = happens(effects, `${effects.name}.reorder`, reorder) ? OVERTAKEN_BY : 0;
  return late + (jitter > 0 ? drawn(effects, `${effects.name}.jitter`, jitter) : 0);
}
