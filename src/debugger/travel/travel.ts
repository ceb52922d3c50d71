import type { Gva, Seq, Tick } from '../../base/units.ts';
import type { DebuggerStops, StopHit, Watchpoint } from '../../engine/index.ts';
import type { Reason } from '../../machine/loop.ts';
import type { Machine } from '../../machine/machine.ts';
import type { Timeline } from '../../replay/timeline.ts';
import { linearRipOf } from '../../machine/guest-view.ts';
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
interface Travel {
  readonly road: Road;
  readonly machine: Machine;
  readonly stops: DebuggerStops;
  /** The machine stands where its tick is first reached, not at a later moment of the same tick. */
  isPlain: boolean;
  /** By vCPU: the repeated instruction with a breakpoint it was last seen at. */
  repetitions: (Repetition | undefined)[];
}

/**
 * Goes through a recorded run by instructions. A place is a tick: the moment a vCPU is in the guest and about to
 * execute the next instruction, everything before it done. Two such moments of one tick (an exception that KVM
 * injected again) differ by what is about to be executed; steps know the first, breakpoints both.
 */
export interface Travels {
  readonly machine: Machine;
  /** vCPU about to execute. */
  readonly vcpu: number;
  readonly isAtEnd: boolean;
  step(vcpu: number, wanted: StopsWanted): Journey;
  stepBack(vcpu: number): Journey;
  run(wanted: StopsWanted): Journey;
  runBack(wanted: StopsWanted): Journey;
  /** Be at a tick; beyond the last is the end of the recording. */
  go(tick: Tick): Journey;
}

/** The same, for who runs the machine beside it. */
export interface Traveller extends Travels {
  /**
   * Wait for stops while somebody else runs the machine. To be asked when it has come to rest: why to stay there.
   * `leaves`: what stands where the machine is now does not count.
   */
  listen(wanted: StopsWanted, leaves: boolean): () => Arrived | undefined;
  /** Somebody else runs the machine no longer. */
  deafen(): void;
}

/** Ticks of one piece of a journey. */
const PIECE = 2_000_000;
/** Events of one piece: a guest may cause one with every few instructions. */
const EVENTS = 4096;
/** Breakpoints met whose condition does not hold, in one piece of a journey. */
const HITS = 32;
/** First window looked at when going back. */
const NEAREST = 1 << 12;
const LARGEST = 1 << 24;
/** Most ticks that may lie between two places: an exit's completion counts one, rarely two. */
const WIDEST = 16;

/** Stand at the beginning of a run. */
export function createTraveller(road: Road): Traveller {
  const { machine } = road.timeline;
  const { stops } = machine.engine;
  if (stops === undefined) throw new Error('a run without a processor cannot be travelled');
  const travel: Travel = { road, machine, stops, isPlain: true, repetitions: [] };
  settle(travel, 0);
  return {
    machine,
    get vcpu() {
      return machine.state.schedule.turn;
    },
    get isAtEnd() {
      return isAtEnd(travel);
    },
    step: (vcpu, wanted) => step(travel, vcpu, wanted),
    stepBack: (vcpu) => stepBack(travel, vcpu),
    run: (wanted) => run(travel, wanted),
    runBack: (wanted) => runBack(travel, wanted),
    go: (tick) => goTo(travel, tick),
    listen: (wanted, leaves) => listen(travel, wanted, leaves),
    deafen() {
      travel.stops.disarm();
      travel.isPlain = false;
    },
  };
}

const tickOf = ({ machine }: Travel): number => machine.ticks;
const turnOf = ({ machine }: Travel): number => machine.state.schedule.turn;
const pcOf = ({ machine }: Travel): bigint => linearRipOf(machine.engine.registers(machine.state.schedule.turn));

function isAtEnd({ machine, road }: Travel): boolean {
  const { schedule, kvm } = machine.state;
  if (schedule.ended !== undefined || machine.seq > road.lastSeq) return true;
  return machine.ticks >= road.lastTick && !kvm.vcpus.some(({ inGuest }) => inGuest);
}

/** Go on to a tick, to where a vCPU is about to execute; no further than the recording. */
function settle(travel: Travel, tick: Tick): Reason {
  const { timeline, lastSeq } = travel.road;
  travel.isPlain = true;
  return timeline.advance({ tick, inGuest: true, seq: lastSeq + 1 });
}

/** On towards a tick, to a stop or for a while. */
function settleForAWhile(travel: Travel, tick: Tick): Reason {
  const { timeline, lastSeq } = travel.road;
  travel.isPlain = true;
  return timeline.advance({ tick, inGuest: true, seq: Math.min(lastSeq, travel.machine.seq + EVENTS) + 1 });
}

const firstTickOf = ({ road }: Travel): number => road.firstTick ?? 0;

/** Whether the breakpoint at hand is on a repeated string instruction of which some iterations are done. */
function isRepetition(travel: Travel, vcpu: number, address: Gva): boolean {
  const { machine, repetitions, road } = travel;
  if (road.code === undefined || !isRepeatedString(road.code(vcpu, address))) return false;
  const registers = machine.engine.registers(vcpu);
  const isSeen = isMidway(address, registers, repetitions[vcpu]);
  repetitions[vcpu] = repetitionAt(address, registers);
  return isSeen;
}

const arrived = (travel: Travel, why: Arrived['why']): Arrived => ({ why, vcpu: turnOf(travel) });

/** To a tick in either direction. */
function* goTo(travel: Travel, tick: Tick): Journey {
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

/** One instruction of a vCPU; the others run on until it has its turn. */
function* step(travel: Travel, vcpu: number, wanted: StopsWanted): Journey {
  if (isAtEnd(travel)) return arrived(travel, 'end');
  if (turnOf(travel) !== vcpu) {
    const turned = yield* toTurn(travel, vcpu);
    if (turned !== undefined) return turned;
  }
  travel.stops.arm([], wanted.watchpoints);
  settle(travel, tickOf(travel) + 1);
  const hit = travel.stops.take();
  travel.stops.disarm();
  if (hit?.kind === 'watch') return watched(hit);
  return { why: isAtEnd(travel) ? 'end' : 'step', vcpu };
}

/** Run on to where another vCPU is about to execute. */
function* toTurn(travel: Travel, vcpu: number): Generator<void, Arrived | undefined, void> {
  travel.stops.disarm();
  while (turnOf(travel) !== vcpu) {
    if (isAtEnd(travel)) return arrived(travel, 'end');
    const from = tickOf(travel);
    const turns = turnsUntil(travel, from + PIECE);
    const next = turns.find((turn) => turn.vcpu === vcpu && turn.from > from);
    if (next !== undefined) yield* goTo(travel, next.from);
    else yield;
  }
  return undefined;
}

interface Turn {
  readonly vcpu: number;
  readonly from: number;
}

/** Run to a tick and say from when on it was whose turn. */
function turnsUntil(travel: Travel, tick: Tick): Turn[] {
  const turns: Turn[] = [{ vcpu: turnOf(travel), from: tickOf(travel) }];
  travel.road.timeline.watching(
    ({ event, tick: from }) => {
      if (event.kind === 'sim:thread_switch') turns.push({ vcpu: event.to, from });
    },
    () => settle(travel, tick),
  );
  return turns;
}

function watched({ vcpu, watchpoint }: Extract<StopHit, { kind: 'watch' }>): Arrived {
  return { why: 'watch', vcpu, watchpoint };
}

/** Un-execute one instruction of a vCPU. */
function* stepBack(travel: Travel, vcpu: number): Journey {
  const isFromEnd = isAtEnd(travel);
  const from = tickOf(travel);
  if (!isFromEnd && turnOf(travel) === vcpu) {
    const was = yield* before(travel, from, false);
    if (was?.vcpu === vcpu) return was;
    if (was === undefined) return { why: 'begin', vcpu };
  } else if (isFromEnd) {
    const was = yield* before(travel, from, true);
    if (was === undefined || was.vcpu === vcpu) return was ?? { why: 'begin', vcpu };
  }
  return yield* backToTurn(travel, vcpu, from);
}

/** The last place before a tick, or before the end of the run at it. */
function* before(travel: Travel, from: number, isFromEnd: boolean): Generator<void, Arrived | undefined, void> {
  const first = firstTickOf(travel);
  for (let back = isFromEnd ? 0 : 1; back <= WIDEST && back <= from - first; back += 1) {
    yield* goTo(travel, from - back);
    if (!isAtEnd(travel) && (tickOf(travel) < from || isFromEnd)) return arrived(travel, 'step');
  }
  yield* goTo(travel, first);
  return undefined;
}

/** The last place before a tick where a vCPU was about to execute. */
function* backToTurn(travel: Travel, vcpu: number, from: number): Journey {
  const first = firstTickOf(travel);
  for (let end = from, size = NEAREST; end > first; size = Math.min(LARGEST, 8 * size)) {
    const start = Math.max(first, end - size);
    yield* goTo(travel, start);
    const turns = turnsUntil(travel, end - 1);
    const last = turns.findLastIndex((turn, at) => turn.vcpu === vcpu && (turns[at + 1]?.from ?? end) > turn.from);
    if (last >= 0) {
      yield* goTo(travel, Math.min(turns[last + 1]?.from ?? end, end) - 1);
      if (turnOf(travel) === vcpu && tickOf(travel) < from) return { why: 'step', vcpu };
    }
    end = start;
  }
  yield* goTo(travel, first);
  return { why: 'begin', vcpu };
}

/** On to the next stop. What stands at the place one leaves does not count. */
function* run(travel: Travel, wanted: StopsWanted): Journey {
  const heard = listen(travel, wanted, true);
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
function listen(travel: Travel, wanted: StopsWanted, leaves: boolean): () => Arrived | undefined {
  const { stops } = travel;
  stops.arm(wanted.breakpoints, wanted.watchpoints);
  travel.repetitions = [];
  let passed: { readonly tick: Tick; readonly address: Gva } | undefined;
  if (leaves) {
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
function* runBack(travel: Travel, wanted: StopsWanted): Journey {
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

function* lastIn(travel: Travel, end: number, wanted: StopsWanted): Generator<void, Met | undefined, void> {
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

function* arriveAt(travel: Travel, { tick, hit }: Met, wanted: StopsWanted): Journey {
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
