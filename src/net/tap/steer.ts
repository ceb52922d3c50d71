/** Which queue of a tap the kernel has for a frame. Linux 6.1: tun_select_queue, tun_flow_update. */
import { fromLatin1 } from '../../base/bytes.ts';
import { siphash } from '../../base/siphash.ts';
import type { Effects } from '../../devices/device.ts';
import { flowOf } from '../../packets/flow.ts';
import { MOST_FLOWS, SECOND, type TapState } from './state.ts';

/** TUN_FLOW_EXPIRE. What is over is looked for at whole seconds. */
const EXPIRES = 3 * SECOND;

/** The client whose queue a frame to QEMU goes to: where its conversation was heard last, or else by its hash. */
export function steered(state: TapState, frame: Uint8Array, effects: Effects): string {
  const { attached, flows } = state;
  if (attached.length === 1) return attached[0]!;
  const hash = hashOf(state, frame, effects);
  const flow = flows[hash];
  const queue = isLive(flow, effects.now) ? flow.queue : Math.floor((hash * attached.length) / 0x1_0000_0000);
  return attached[queue] ?? attached[0]!;
}

/** A frame of QEMU's has come by a queue: what answers it is to go there. */
export function heard(state: TapState, client: string, frame: Uint8Array, effects: Effects): void {
  const { attached, flows } = state;
  if (attached.length === 1 || !attached.includes(client)) return;
  const hash = hashOf(state, frame, effects);
  const until = Math.ceil((effects.now + EXPIRES) / SECOND) * SECOND;
  const known = flows[hash];
  if (known?.until === until && attached[known.queue] === client) return;
  if (!isLive(known, effects.now) && liveFlows(state, effects.now) >= MOST_FLOWS) return;
  effects.raise({ kind: 'sim:tap_flow', client, hash, until });
}

type Flow = TapState['flows'][number];

const isLive = (flow: Flow | undefined, now: number): flow is Flow => flow !== undefined && flow.until > now;

const liveFlows = ({ flows }: TapState, now: number): number =>
  Object.values(flows).filter((flow) => isLive(flow, now)).length;

const KEY_BYTES = 16;

/** By a key of chance, as Linux has one since it came up. Never 0. */
function hashOf(state: TapState, frame: Uint8Array, effects: Effects): number {
  if (state.key === '') effects.keep(0, effects.random(`${effects.name} flows`, KEY_BYTES));
  return Number(BigInt.asUintN(32, siphash(fromLatin1(state.key), flowOf(frame)))) || 1;
}
