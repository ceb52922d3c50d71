/** How the machines that one gdb stands in go beside each other. */
import type { Ns } from '../base/units.ts';
import type { Arrived, Journey } from '../debugger/travel/travel.ts';

/** Which way all go, and whose stop is met first. */
export const WAYS = {
  on: { packet: 'vCont;c', over: 'end', isFirst: (one: Ns, other: Ns) => one < other },
  back: { packet: 'bc', over: 'begin', isFirst: (one: Ns, other: Ns) => one > other },
} as const;

export type Way = (typeof WAYS)[keyof typeof WAYS];

/** One of the machines, by its place in the list, and the way it is to go. */
export interface Goer {
  readonly machine: number;
  readonly journey: Journey;
}

/** Where one of them has come to rest, by the clock of all. */
export interface Met {
  readonly machine: number;
  readonly stop: Arrived;
  readonly ns: Ns;
}

/** What differs between machines that were recorded, and those that are under way. */
export interface Together {
  /** Several go, and the first that meets a stop ends it. Undefined: none went. */
  meet(goers: readonly Goer[], way: Way): Generator<void, Met | undefined, void>;
  /** One is asked something, or goes somewhere by itself. */
  beside<T>(machine: number, way: Generator<void, T, void>): Generator<void, T, void>;
  /** Nobody stays behind where this one stands. */
  reach(machine: number): Generator<void, void, void>;
}

/** The stop all of them have come to: the first of those met; the last end, where that is all there is. */
export function firstMet(met: readonly Met[], { over, isFirst }: Way): Met | undefined {
  let first: Met | undefined;
  for (const each of met) {
    // One that is over stops nobody who goes on.
    const isOver = each.stop.why === over;
    const isBetter =
      first === undefined ||
      (isOver === (first.stop.why === over) ? isFirst(each.ns, first.ns) !== isOver : first.stop.why === over);
    if (isBetter) first = each;
  }
  return first;
}

/** Recorded machines: each goes its way for itself. */
export const oneByOne = (nowOf: (machine: number) => Ns): Together => ({
  *meet(goers, way) {
    const met: Met[] = [];
    for (const { machine, journey } of goers) {
      const stop = yield* journey;
      met.push({ machine, stop, ns: nowOf(machine) });
    }
    return firstMet(met, way);
  },
  beside: (_machine, way) => way,
  // biome-ignore lint/correctness/useYield: everything has happened.
  *reach() {
    return;
  },
});
