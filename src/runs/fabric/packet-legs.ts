/** A packet's way through several machines: on each it is a packet of that one. */
import type { Ns } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import { type PacketPath, packetPath, type PathHop } from '../../replay/packets/packet-path.ts';
import { isSent, type PacketMachine } from '../../replay/packets/packet-reader.ts';
import type { EventOfMachine, Passages } from './passages.ts';

/** A machine of several, and what it did. */
export interface PacketRun {
  /** From its first. */
  readonly events: readonly Stamped[];
  readonly machine: PacketMachine;
}

/** A packet's way on one machine. */
export interface Leg {
  /** By its place in the list. */
  readonly machine: number;
  readonly path: PacketPath;
  /** When it had left the machine before; undefined: it begins on this one, or that is too long ago to be known. */
  readonly leftNs: Ns | undefined;
}

/** A frame may be flooded to all machines, and go back and forth between some. */
const MOST_LEGS = 64;
/** Events behind the coming of a frame among which it is handed on. */
const NEAR = 400;

/** The ways of a packet on all machines it was on, in the order of their beginnings. */
export function* packetLegs(
  runs: readonly PacketRun[],
  passages: Passages,
  asked: { readonly machine: number; readonly packet: number },
): Work<Leg[]> {
  const before: Leg[] = [];
  let first = yield* legOf(runs, asked);
  for (let left = origin(first, passages); left !== undefined && before.length < MOST_LEGS; ) {
    const packet = packetOf(runs, left);
    if (packet === undefined) break;
    before.unshift({ ...first, leftNs: undefined });
    first = yield* legOf(runs, { machine: left.machine, packet });
    before[0] = { ...before[0]!, leftNs: departure(first, left)?.ns };
    left = origin(first, passages);
  }
  return yield* onwards(runs, passages, [first, ...before]);
}

function* legOf(
  runs: readonly PacketRun[],
  { machine, packet }: { readonly machine: number; readonly packet: number },
): Work<Leg> {
  const run = runs[machine]!;
  return { machine, path: yield* packetPath(run.events, packet, run.machine), leftNs: undefined };
}

/** Where the other machine's event is that a leg begins with the frame of. */
function origin({ machine, path }: Leg, passages: Passages): EventOfMachine | undefined {
  const begun = path.before[0]?.stamped;
  return begun === undefined ? undefined : passages.sentAs({ machine, seq: begun.seq });
}

function packetOf(runs: readonly PacketRun[], { machine, seq }: EventOfMachine): number | undefined {
  const event = runs[machine]!.events[seq]?.event;
  return event?.kind === 'sim:frame_left' ? event.packet : undefined;
}

const departure = ({ path: { fates } }: Leg, { seq }: EventOfMachine): PathHop | undefined =>
  fates.find(({ stamped }) => stamped.seq === seq);

/** Also where else it went: a bridge floods. */
function* onwards(runs: readonly PacketRun[], passages: Passages, known: readonly Leg[]): Work<Leg[]> {
  const legs = [...known];
  const isKnown = (machine: number, packet: number): boolean =>
    legs.some((leg) => leg.machine === machine && leg.path.sent.event.packet === packet);
  for (let at = 0; at < legs.length && legs.length < MOST_LEGS; at += 1) {
    const { machine, path } = legs[at]!;
    for (const { stamped, ns } of path.fates) {
      const came = passages.receivedAs({ machine, seq: stamped.seq });
      const packet = came === undefined ? undefined : handedOn(runs, came);
      if (came === undefined || packet === undefined || isKnown(came.machine, packet)) continue;
      legs.push({ ...(yield* legOf(runs, { machine: came.machine, packet })), leftNs: ns });
    }
  }
  return legs;
}

/** The packet that a frame became on the machine it came to. */
function handedOn(runs: readonly PacketRun[], { machine, seq }: EventOfMachine): number | undefined {
  const { events } = runs[machine]!;
  for (let at = seq + 1; at < Math.min(events.length, seq + NEAR); at += 1) {
    const stamped = events[at]!;
    if (stamped.cause === seq && isSent(stamped)) return stamped.event.packet;
  }
  return undefined;
}
