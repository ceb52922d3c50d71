import type { Ns } from './units.ts';

/**
 * What several sequences have, each in the order of time, in that order: each with its sequence's place in the list.
 * Those of one moment come in the order of the list.
 */
export function* byTime<T extends { readonly ns: Ns }>(
  sequences: readonly Iterable<T>[],
): Generator<readonly [place: number, next: T], void> {
  const heads = sequences.map((each) => each[Symbol.iterator]()).map((rest) => ({ rest, next: nextOf(rest) }));
  for (;;) {
    let first = -1;
    for (let place = 0; place < heads.length; place += 1) {
      const { next } = heads[place]!;
      if (next !== undefined && (first < 0 || next.ns < heads[first]!.next!.ns)) first = place;
    }
    const head = heads[first];
    if (head?.next === undefined) return;
    yield [first, head.next];
    head.next = nextOf(head.rest);
  }
}

function nextOf<T>(rest: Iterator<T>): T | undefined {
  const { done, value } = rest.next();
  return done === true ? undefined : value;
}
