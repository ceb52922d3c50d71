import { unreachable } from '../../base/invariant.ts';
import { Problem } from '../../base/problem.ts';
import type { Gva, Seq, Tick } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type {
  AnyHit,
  Breakpoint,
  WantedStops,
  WatchedMsr,
  WatchedValue,
  Watchpoint,
  Writer,
} from '../../engine/index.ts';
import { type Stamped, vcpuOf } from '../../events/stamped.ts';
import type { Mark } from '../../replay/timeline.ts';
import { fieldValue } from '../../replay/expression/event-scope.ts';
import { holds, type Scope } from '../../replay/expression/expression.ts';
import { hvaOf, linearRip, readLinear, readPhysical, registersOf } from '../../machine/guest-view.ts';
import { isSystemRegister, registerReader } from '../look/named-registers.ts';
import { afterEvent, endOf, type EventSearch, nextEvent, previousEvent } from '../../replay/places.ts';
import { littleEndian, scopeOf } from '../look/vantage.ts';
import type { DebugSession } from '../session.ts';
import { isMeantBy, type Stop } from './stops.ts';
import { type Bound, type Here, hereOf, runOn, searchBack } from './windows.ts';

/** A stop that was met, and where: the session stands there. */
export interface Met {
  readonly stop: Stop;
  readonly vcpu: number;
  /** The event, when the stop waits for one. */
  readonly event?: Stamped;
  /** Who touched memory. */
  readonly by?: Writer;
}

/** What the engine heard, where. */
interface Heard {
  readonly met: Met;
  readonly tick: Tick;
  readonly seq: Seq;
  /** Where the instruction at a breakpoint lies; undefined: data, a register or an MSR was touched before here. */
  readonly address: Gva | undefined;
}

/**
 * On to whatever comes first of these stops: before an instruction, after one that touches what is watched, or just
 * after an event. Undefined: none comes, and the session stands at the end of the run.
 */
export function* findNext(session: DebugSession, stops: readonly Stop[]): Work<Met | undefined> {
  const here = session.now;
  const ahead = yield* nearestMeant(session, stops, nextEvent, session.seq);
  if (hasEngineStops(stops)) {
    // A condition may have been asked elsewhere.
    if (session.now.seq !== here.seq || session.now.tick !== here.tick) yield* session.going(here);
    const heard = yield* heardUpTo(session, stops, ahead?.event?.seq);
    if (heard !== undefined) return heard.met;
  }
  return yield* atEvent(session, ahead, endOf(session.run.events));
}

/** Back to whatever came last of these stops; before the instruction that touched something. */
export function* findPrevious(session: DebugSession, stops: readonly Stop[]): Work<Met | undefined> {
  const here = hereOf(session);
  const isAtMet = session.met?.seq === session.seq - 1;
  const behind = yield* nearestMeant(session, stops, previousEvent, session.seq - (isAtMet ? 1 : 0));
  if (hasEngineStops(stops)) {
    const heard = yield* lastHeard(session, stops, here, behind?.event);
    if (heard !== undefined) {
      yield* arrive(session, stops, heard);
      return heard.met;
    }
  }
  return yield* atEvent(session, behind, 0);
}

function* atEvent(session: DebugSession, met: Met | undefined, otherwise: Mark | number): Work<Met | undefined> {
  yield* session.going(met?.event === undefined ? otherwise : afterEvent(met.event));
  session.met = met?.event;
  return met;
}

// Events: those of the recording.

/** Learn what some stops have to know of the whole run. */
function* prepare(stops: readonly Stop[]): Work<void> {
  for (const stop of stops) if (stop.what === 'event' && stop.prepare !== undefined) yield* stop.prepare();
}

/** The nearest event that is meant, from `place` on or before it as `search` goes. */
function* nearestMeant(
  session: DebugSession,
  stops: readonly Stop[],
  search: EventSearch,
  place: number,
): Work<Met | undefined> {
  yield* prepare(stops);
  const isMeant = (stamped: Stamped): boolean => stops.some((stop) => isMeantBy(stop, stamped));
  for (let from = place; ; ) {
    const found = yield* search(session.run.events, from, isMeant);
    const met = found === undefined ? undefined : yield* metBy(session, stops, found);
    if (found === undefined || met !== undefined) return met;
    from = found.seq < from ? found.seq : found.seq + 1;
  }
}

/** A condition that looks at registers or memory is asked where the event has just happened. */
function* metBy(session: DebugSession, stops: readonly Stop[], stamped: Stamped): Work<Met | undefined> {
  for (const stop of stops) {
    if (!isMeantBy(stop, stamped)) continue;
    const { condition } = stop;
    if (condition?.looks === true) yield* session.going(afterEvent(stamped));
    if (condition !== undefined && !holds(condition, scopeAt(session, stamped))) continue;
    return { stop, vcpu: Math.max(0, vcpuOf(stamped.source)), event: stamped };
  }
  return undefined;
}

const scopeAt = (session: DebugSession, stamped: Stamped): Scope => ({
  ...scopeOf(session),
  field: (name) => fieldValue(stamped, name),
});

// Instructions and what they touch: heard while the run is run again.

const hasEngineStops = (stops: readonly Stop[]): boolean => stops.some(({ what }) => what !== 'event');

/** The stops as the processor waits for them, where the session stands. */
interface Armed {
  readonly wanted: WantedStops;
  readonly stopOf: ReadonlyMap<unknown, Stop>;
}

function armed(session: DebugSession, stops: readonly Stop[]): Armed {
  const { view } = session;
  const stopOf = new Map<unknown, Stop>();
  const breakpoints: Breakpoint[] = [];
  const watchpoints: Watchpoint[] = [];
  const values: WatchedValue[] = [];
  const msrs: WatchedMsr[] = [];
  const wait = <T>(list: T[], stop: Stop, wanted: T): void => {
    list.push(wanted);
    stopOf.set(wanted, stop);
  };
  for (const stop of stops) {
    if (stop.what === 'execute' || stop.what === 'access') {
      const host = stop.space === 'linear' ? undefined : hvaOf(view, Number(stop.address));
      // Where there is no memory nothing is executed, and accesses are MMIO exits: events.
      if (stop.space === 'physical' && host === undefined) continue;
      const place = host === undefined ? { address: stop.address } : { address: BigInt(host), space: 'host' as const };
      const where = stop.cr3 === undefined ? place : { ...place, cr3: stop.cr3 };
      if (stop.what === 'execute') wait(breakpoints, stop, where);
      else wait(watchpoints, stop, { ...where, length: stop.length, on: stop.on, ...lookedAt(session, stop) });
    } else if (stop.what === 'register') {
      const { vcpu } = stop;
      const read = registerReader(stop.name);
      wait(values, stop, { vcpu, isSystem: isSystemRegister(stop.name), read: () => read(registersOf(view, vcpu)) });
    } else if (stop.what === 'msr') wait(msrs, stop, { index: stop.index, on: stop.on });
  }
  return { wanted: { breakpoints, watchpoints, values, msrs }, stopOf };
}

/** The bytes a watchpoint is about, where its condition compares them with what they become. */
const lookedAt = (session: DebugSession, stop: Stop): { read?: () => bigint } =>
  stop.condition?.compares === true ? { read: () => watchedValue(session, stop) ?? 0n } : {};

/** What is watched, as it is now. */
function watchedValue({ view, run }: DebugSession, stop: Stop): bigint | undefined {
  if (stop.what === 'register') return registerReader(stop.name)(registersOf(view, stop.vcpu));
  if (stop.what !== 'access') return undefined;
  const { address, length, space } = stop;
  const { turn } = run.timeline.machine.state.schedule;
  return littleEndian(
    space === 'linear' ? readLinear(view, turn, address, length) : readPhysical(view, Number(address), length),
  );
}

/** Where a journey ends and what does not count on it. */
interface Leg extends Bound {
  /** Standing here, the breakpoint one stands at does not count. */
  readonly passed: { readonly tick: Tick; readonly address: Gva } | undefined;
}

/** Run on, hearing every stop that is met with its condition true; `hear` says whether to stop there. */
function* listen(session: DebugSession, stops: readonly Stop[], leg: Leg, hear: (heard: Heard) => boolean): Work<void> {
  const engine = session.run.timeline.machine.engine.stops;
  if (engine === undefined) return;
  const { wanted, stopOf } = armed(session, stops);
  engine.waitFor(wanted);
  engine.passes = leg.passed !== undefined;
  try {
    yield* runOn(session, leg, {
      isOver() {
        const hits = engine.takeAll();
        engine.passes = hits.some(({ kind }) => kind === 'break');
        for (const hit of hits) {
          const heard = judged(session, hit, stopOf, leg);
          if (heard !== undefined && hear(heard)) return 'stop';
        }
        return hits.length > 0 ? 'again' : undefined;
      },
    });
  } finally {
    engine.disarm();
  }
}

function wantedBy(hit: AnyHit): unknown {
  switch (hit.kind) {
    case 'break':
      return hit.breakpoint;
    case 'watch':
      return hit.watchpoint;
    case 'value':
      return hit.value;
    case 'msr':
      return hit.msr;
    default:
      return unreachable(hit);
  }
}

function judged(session: DebugSession, hit: AnyHit, stopOf: Armed['stopOf'], leg: Leg): Heard | undefined {
  const { ticks: tick, seq } = session.run.timeline.machine;
  const address = hit.kind === 'break' ? hit.address : undefined;
  const isPassed = leg.passed?.tick === tick && leg.passed.address === address;
  const stop = stopOf.get(wantedBy(hit));
  if (stop === undefined || isPassed) return undefined;
  if (!holdsAt(session, stop, hit)) return undefined;
  const by = hit.kind === 'watch' ? { by: hit.by } : {};
  return { met: { stop, vcpu: hit.vcpu, ...by }, tick, seq, address };
}

/** Ask a condition where it is hit. One that cannot be answered ends the search there. */
function holdsAt(session: DebugSession, stop: Stop, hit: AnyHit): boolean {
  const { condition, said } = stop;
  if (condition === undefined) return true;
  const { vcpu } = session;
  session.vcpu = hit.vcpu;
  try {
    const isMet = holds(condition, scopeOfHit(session, stop, hit));
    session.vcpu = vcpu;
    return isMet;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    session.stood(hit.vcpu);
    const where = `${said} was hit at tick ${session.now.tick}`;
    throw new Problem(`${where}, and its condition has no answer: ${problem.message}`);
  }
}

/** What names mean where the processor has just done what was waited for. */
function scopeOfHit(session: DebugSession, stop: Stop, hit: AnyHit): Scope {
  const scope = scopeOf(session);
  switch (hit.kind) {
    case 'break':
      return scope;
    case 'msr':
      return { ...scope, field: (name) => fieldOfMsr(scope, hit, name) };
    default:
      return { ...scope, changed: { old: hit.before, new: watchedValue(session, stop) } };
  }
}

/** RDMSR and WRMSR without an exit, as `kvm_msr` would tell them: both leave their value in EDX:EAX. */
function fieldOfMsr(scope: Scope, { msr, write }: Extract<AnyHit, { kind: 'msr' }>, name: string): bigint | undefined {
  const low = (register: string): bigint => BigInt.asUintN(32, scope.register(register));
  if (name === 'data') return (low('rdx') << 32n) | low('rax');
  return { ecx: BigInt(msr.index), write: write ? 1n : 0n, exception: 0n }[name];
}

/** The first hit from here on, if it comes before an event. The session stands at it. */
function* heardUpTo(session: DebugSession, stops: readonly Stop[], event: number | undefined): Work<Heard | undefined> {
  const { view, now } = session;
  const { turn } = session.run.timeline.machine.state.schedule;
  const passed = { tick: now.tick, address: linearRip(view, turn) };
  const seq = event === undefined ? Number.POSITIVE_INFINITY : event + 1;
  let first: Heard | undefined;
  yield* listen(session, stops, { tick: Number.POSITIVE_INFINITY, seq, passed }, (heard) => {
    first = heard;
    return true;
  });
  if (first === undefined || (event !== undefined && first.seq > event)) return undefined;
  session.stood(first.met.vcpu);
  return first;
}

/** The last hit before here and after an event, window by window. */
function* lastHeard(
  session: DebugSession,
  stops: readonly Stop[],
  here: Here,
  event: Stamped | undefined,
): Work<Heard | undefined> {
  const isBefore = ({ address, tick, seq }: Heard): boolean => {
    if (address === undefined) return tick < here.tick || (tick === here.tick && seq <= here.seq);
    return tick < here.tick || (tick === here.tick && seq < here.seq);
  };
  const last = yield* searchBack(session, here, event?.tick ?? 0, function* (bound) {
    let found: Heard | undefined;
    yield* listen(session, stops, { ...bound, passed: undefined }, (heard) => {
      if (isBefore(heard)) found = heard;
      return false;
    });
    return found;
  });
  return event === undefined || (last?.seq ?? 0) > event.seq ? last : undefined;
}

function* arrive(session: DebugSession, stops: readonly Stop[], { met, tick, seq, address }: Heard): Work<void> {
  const { view } = session;
  yield* session.standing(tick);
  // Was it touched by the instruction before, or later in the same tick, by an event KVM injected?
  const isLater = session.run.timeline.now.seq < seq;
  if (address === undefined && !isLater) yield* session.standing(Math.max(0, tick - 1));
  if (address !== undefined && linearRip(view, met.vcpu) !== address) {
    // A later moment of the same tick: an exception injected before the instruction.
    yield* listen(session, stops, { tick: tick + 1, seq: Number.POSITIVE_INFINITY, passed: undefined }, () => true);
  }
  session.stood(met.vcpu);
}
