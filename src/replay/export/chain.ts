/** What led to an event, and what it led to: a tree along the causes that events name. */

/** Causes of an event that are told, the nearest: those of a timer that sets itself again go back to power-on. */
export const MOST_CAUSES = 20;

/** The numbers of an event and of all that led to it, the first cause first. */
export function pathTo(asked: number, causeOf: (number: number) => number | undefined): number[] {
  const path: number[] = [];
  for (let link: number | undefined = asked; link !== undefined; link = causeOf(link)) path.push(link);
  return path.reverse();
}

/**
 * How deep each event of a run stands in the tree of one. To be asked about them in the order of the run; of several
 * machines in that of their clock, with one number for each event of all.
 */
export class Chain {
  /** Of what led to it. */
  private readonly before = new Map<number, number>();
  /** Of itself and of what it led to. */
  private readonly after = new Map<number, number>();
  private readonly asked: number;

  /** `path`: the numbers of those that led to an event, the first first, and last its own. */
  constructor(path: readonly number[]) {
    for (const [depth, number] of path.slice(-MOST_CAUSES - 1).entries()) this.before.set(number, depth);
    this.asked = path[path.length - 1] as number;
  }

  /** Undefined: it has nothing to do with the one asked about. */
  depthOf(number: number, cause: number | undefined): number | undefined {
    const depth = this.before.get(number);
    if (depth !== undefined) {
      if (number === this.asked) this.after.set(number, depth);
      return depth;
    }
    const above = cause === undefined ? undefined : this.after.get(cause);
    if (above === undefined) return undefined;
    this.after.set(number, above + 1);
    return above + 1;
  }
}
