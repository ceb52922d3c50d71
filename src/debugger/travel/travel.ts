import type { Gva, Seq, Tick } from '../../base/units.ts';
import type { DebuggerStops, StopHit, Watchpoint } from '../../engine/index.ts';
import type { Reason } from '../../machine/loop.ts';
import type { Machine } from '../../machine/machine.ts';
import type { Timeline } from '../../replay/timeline.ts';
import { isAtPlace, linearRipOf } from '../../machine/guest-view.ts';
import { isMidway, isRepeatedString, type Repetition, repetitionAt } from './repetition.ts';

/** Why a journey ended, and the vCPU it is about. */
export interface Arrived {
  readonly why: 'step' | 'break' | 'watch' | 'begin' | 'end';
  readonly vcpu: number;
  readonly watchpoint?: Watchpoint;
}

/** A way through the run, in pieces of a few milliseconds so that somebody can interrupt it. */
export type Journey = Generator<void, Arrived, void>;

/** What a journey stops at. A condition is asked where the breakpoint is hit. */
export interface StopsWanted {
  /** The breakpoint one stands at counts: nobody was told of it yet, or somebody put the processor there. */
  readonly countsHere?: boolean;
  readonly breakpoints: readonly bigint[];
  readonly watchpoints: readonly Watchpoint[];
  isWanted(address: Gva, vcpu: number): boolean;
}

/** The run that is travelled, and where its recording begins and ends. */
export interface Road {
  readonly timeline: Timeline;
  /** Where it can be stood in first; 0 when absent. */
  readonly firstTick?: Tick;
  /** Sequence number and tick of the last recorded event. Infinite: it goes on as far as somebody goes. */
  readonly lastSeq: Seq;
  readonly lastTick: Tick;
  /** Code at a linear address: without it a breakpoint on a repeated instruction may be hit in its middle. */
  code?(vcpu: number, linear: Gva): Uint8Array;
}

/** Where the traveller stands; all else is the machine's. */
export interface Travel {
  readonly road: Road;
  readonly machine: Machine;
  readonly stops: DebuggerStops;
  /** The machine stands where its tick is first reached, not at a later moment of the same tick. */
  isPlain: boolean;
  /** By vCPU: the repeated instruction with a breakpoint it was last seen at. */
  repetitions: (Repetition | undefined)[];
}

/** Ticks of one piece of a journey. */
const PIECE = 2_000_000;
/** Events of one piece: a guest may cause one with every few instructions. */
const EVENTS = 4096;
/** Breakpoints met whose condition does not hold, in one piece of a journey. */
const HITS = 32;
/** First window looked at when going back. */
export const NEAREST = 1 << 12;
export const LARGEST = 1 << 24;

export const tickOf = ({ machine }: Travel): number => machine.ticks;
export const turnOf = ({ machine }: Travel): number => machine.state.schedule.turn;
const pcOf = ({ machine }: Travel): bigint => linearRipOf(machine.engine.registers(machine.state.schedule.turn));

export function isAtEnd({ machine, road }: Travel): boolean {
  const { schedule, kvm } = machine.state;
  if (schedule.ended !== undefined || machine.seq > road.lastSeq) return true;
  return machine.ticks >= road.lastTick && !kvm.vcpus.some(({ inGuest }) => inGuest);
}

/** Go on to a tick, to where a vCPU is about to execute; no further than the recording. */
export function settle(travel: Travel, tick: Tick): Reason {
  const { timeline, lastSeq } = travel.road;
  travel.isPlain = true;
  return timeline.advance({ tick, inGuest: true, seq: lastSeq + 1 });
}

/** On towards a tick, to a stop or for a while. */
function settleForAWhile(travel: Travel, tick: Tick, turn?: number): Reason {
  const { timeline, lastSeq } = travel.road;
  travel.isPlain = true;
  const seq = Math.min(lastSeq, travel.machine.seq + EVENTS) + 1;
  return timeline.advance({ tick, inGuest: true, seq, ...(turn === undefined ? {} : { turn }) });
}

/** On to a place, or to what is heard before: then why to stop. Undefined: it is reached, or nothing leads there. */
export function* onTo(
  travel: Travel,
  heard: () => Arrived | undefined,
  tick: Tick,
  turn?: number,
): Generator<void, Arrived | undefined, void> {
  for (let count = 1; !isAtEnd(travel) && !isAtPlace(travel.machine, tick, turn); count += 1) {
    const { why } = settleForAWhile(travel, tick, turn);
    const stop = heard();
    if (stop !== undefined || why === 'idle') return stop;
    if (why !== 'break' || count % HITS === 0) yield;
  }
  return undefined;
}

export const firstTickOf = ({ road }: Travel): number => road.firstTick ?? 0;

/** Whether the breakpoint at hand is on a repeated string instruction of which some iterations are done. */
function isRepetition(travel: Travel, vcpu: number, address: Gva): boolean {
  const { machine, repetitions, road } = travel;
  if (road.code === undefined || !isRepeatedString(road.code(vcpu, address))) return false;
  const registers = machine.engine.registers(vcpu);
  const isSeen = isMidway(address, registers, repetitions[vcpu]);
  repetitions[vcpu] = repetitionAt(address, registers);
  return isSeen;
}

export const arrived = (travel: Travel, why: Arrived['why']): Arrived => ({ why, vcpu: turnOf(travel) });

/** To a tick in either direction. */
export function* goTo(travel: Travel, tick: Tick): Journey {
  const { timeline } = travel.road;
  const wanted = Math.max(firstTickOf(travel), Math.min(tick, travel.road.lastTick));
  travel.stops.disarm();
  // New ground in pieces: there is no checkpoint beyond it.
  while (wanted - timeline.end.tick > PIECE && !isAtEnd(travel)) {
    if (tickOf(travel) < timeline.end.tick) timeline.seek(timeline.end.tick);
    if (settle(travel, timeline.end.tick + PIECE).why === 'idle') break;
    yield;
  }
  const now = tickOf(travel);
  const isThere = now === wanted && travel.isPlain && !isAtEnd(travel);
  if (isThere) return arrived(travel, 'step');
  if (now >= wanted) timeline.seek(Math.max(0, wanted - (now === wanted ? 1 : 0)));
  else timeline.seek(wanted);
  settle(travel, wanted);
  if (tick > travel.road.lastTick) settle(travel, Number.MAX_SAFE_INTEGER);
  return arrived(travel, 'step');
}

function watched({ vcpu, watchpoint }: Extract<StopHit, { kind: 'watch' }>): Arrived {
  return { why: 'watch', vcpu, watchpoint };
}

/** On to the next stop. What stands at the place one leaves does not count. */
export function* run(travel: Travel, wanted: StopsWanted): Journey {
  const heard = listen(travel, wanted);
  try {
    for (let count = 1; !isAtEnd(travel); count += 1) {
      const { why } = settleForAWhile(travel, tickOf(travel) + PIECE);
      const stop = heard();
      if (stop !== undefined) return stop;
      if (why === 'idle') break;
      if (why !== 'break' || count % HITS === 0) yield;
    }
  } finally {
    travel.stops.disarm();
  }
  return arrived(travel, 'end');
}

/** Wait for stops. The answer is asked each time the machine has come to rest: why to stay, if there is a reason. */
export function listen(travel: Travel, wanted: StopsWanted): () => Arrived | undefined {
  const { stops } = travel;
  stops.arm(wanted.breakpoints, wanted.watchpoints);
  travel.repetitions = [];
  let passed: { readonly tick: Tick; readonly address: Gva } | undefined;
  if (wanted.countsHere !== true) {
    passed = { tick: tickOf(travel), address: pcOf(travel) };
    stops.passes = true;
    if (wanted.breakpoints.includes(passed.address)) isRepetition(travel, turnOf(travel), passed.address);
  }
  return () => {
    const hit = stops.take();
    stops.passes = false;
    if (hit === undefined) return undefined;
    travel.isPlain = false;
    if (hit.kind === 'watch') return watched(hit);
    const isPassed = passed?.tick === tickOf(travel) && passed.address === hit.address;
    const isMid = isRepetition(travel, hit.vcpu, hit.address);
    if (!isPassed && !isMid && wanted.isWanted(hit.address, hit.vcpu)) return { why: 'break', vcpu: hit.vcpu };
    passed = { tick: tickOf(travel), address: hit.address };
    stops.passes = true;
    return undefined;
  };
}

/** A stop met while running through a window. */
interface Met {
  /** The place before the stop: of the instruction at the breakpoint, or of the one that touched the range. */
  readonly tick: Tick;
  readonly hit: StopHit;
}

/** Back to the last stop before here, window by window. */
export function* runBack(travel: Travel, wanted: StopsWanted): Journey {
  const from = tickOf(travel) + (isAtEnd(travel) ? 1 : 0);
  const first = firstTickOf(travel);
  for (let end = from, size = NEAREST; end > first; size = Math.min(LARGEST, 8 * size)) {
    const start = windowStart(travel, end, size);
    yield* goTo(travel, start);
    yield* lookBehind(travel, wanted);
    const met = yield* lastIn(travel, end, wanted);
    if (met !== undefined) return yield* arriveAt(travel, met, wanted);
    end = start;
  }
  yield* goTo(travel, first);
  return arrived(travel, 'begin');
}

/** Near windows are small; far ones begin at a checkpoint, so that nothing is run twice. */
function windowStart(travel: Travel, end: number, size: number): number {
  const first = firstTickOf(travel);
  if (size < LARGEST) return Math.max(first, end - size);
  return Math.max(first, travel.road.timeline.checkpoints.findLast(({ tick }) => tick < end)?.tick ?? 0);
}

/** A window that begins at a breakpoint on a repeated instruction may begin in its middle: see what was before. */
function* lookBehind(travel: Travel, wanted: StopsWanted): Generator<void, void, void> {
  travel.repetitions = [];
  const at = tickOf(travel);
  const pc = pcOf(travel);
  if (at <= firstTickOf(travel) || !wanted.breakpoints.includes(pc)) return;
  yield* goTo(travel, at - 1);
  const vcpu = turnOf(travel);
  if (pcOf(travel) === pc) travel.repetitions[vcpu] = repetitionAt(pc, travel.machine.engine.registers(vcpu));
  yield* goTo(travel, at);
}

export function* lastIn(travel: Travel, end: number, wanted: StopsWanted): Generator<void, Met | undefined, void> {
  const { stops } = travel;
  let met: Met | undefined;
  stops.arm(wanted.breakpoints, wanted.watchpoints);
  try {
    for (let count = 1; tickOf(travel) < end && !isAtEnd(travel); count += 1) {
      const { why } = settleForAWhile(travel, Math.min(end, tickOf(travel) + PIECE));
      const hit = stops.take();
      stops.passes = hit?.kind === 'break';
      if (hit === undefined) {
        if (why === 'idle') break;
        yield;
        continue;
      }
      if (count % HITS === 0) yield;
      const tick = tickOf(travel) - (hit.kind === 'watch' ? 1 : 0);
      if (hit.kind === 'break' && isRepetition(travel, hit.vcpu, hit.address)) continue;
      if (tick < end && (hit.kind === 'watch' || wanted.isWanted(hit.address, hit.vcpu))) met = { tick, hit };
    }
  } finally {
    stops.disarm();
  }
  return met;
}

export function* arriveAt(travel: Travel, { tick, hit }: Met, wanted: StopsWanted): Journey {
  yield* goTo(travel, tick);
  if (hit.kind === 'watch') return watched(hit);
  if (pcOf(travel) !== hit.address) {
    // A later moment of the same tick: an exception injected before the instruction.
    travel.stops.arm(wanted.breakpoints, []);
    travel.road.timeline.advance({ tick: tick + 1, inGuest: true, seq: travel.road.lastSeq + 1 });
    travel.stops.disarm();
    travel.isPlain = false;
  }
  return { why: 'break', vcpu: hit.vcpu };
}
