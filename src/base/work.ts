/**
 * Work that may take long, in pieces of a few milliseconds. Each piece tells which share of the whole is done, 0 to 1,
 * where that is known. Whoever drives it may leave it after any piece with `return`: what it holds it then gives back,
 * which may take a few pieces more.
 */
export type Work<T> = Generator<number | undefined, T, void>;

/** Do all of it at once. */
export function finish<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** Do it as a part of something longer: what share of that is done before it, and after it. */
export function* asPart<T>(work: Work<T>, before: number, after: number): Work<T> {
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = work.next();
      if (done === true) {
        isDone = true;
        return value;
      }
      yield value === undefined ? undefined : before + value * (after - before);
    }
  } finally {
    if (!isDone) yield* leave(work);
  }
}

/** Leave work where it is; what it gives back is done with. */
export function* leave(work: Work<unknown>): Work<void> {
  let step = work.return(undefined as never);
  while (step.done !== true) {
    yield undefined;
    step = work.next();
  }
}
