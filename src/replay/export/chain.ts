/** What led to an event, and what it led to: a tree along the causes that events name. */
import type { Seq } from '../../base/units.ts';
import type { Stamped } from '../../events/stamped.ts';

/** Causes of an event that are told, the nearest: those of a timer that sets itself again go back to power-on. */
export const MOST_CAUSES = 20;

/** The numbers of an event and of all that led to it, the first cause first. */
export function pathTo(seq: Seq, causeOf: (seq: Seq) => Seq | undefined): Seq[] {
  const path: Seq[] = [];
  for (let link: Seq | undefined = seq; link !== undefined; link = causeOf(link)) path.push(link);
  return path.reverse();
}

/** How deep each event of a run stands in the tree of one. To be asked about them in the order of the run. */
export class Chain {
  private readonly depths = new Map<Seq, number>();
  private readonly seq: Seq;

  /** `path`: the numbers of those that led to an event, the first first, and last its own. */
  constructor(path: readonly Seq[]) {
    for (const [depth, seq] of path.slice(-MOST_CAUSES - 1).entries()) this.depths.set(seq, depth);
    this.seq = path[path.length - 1] as Seq;
  }

  /** Undefined: it has nothing to do with the one asked about. */
  depthOf({ seq, cause }: Stamped): number | undefined {
    if (seq <= this.seq) return this.depths.get(seq);
    const above = cause === undefined || cause < this.seq ? undefined : this.depths.get(cause);
    if (above === undefined) return undefined;
    this.depths.set(seq, above + 1);
    return above + 1;
  }
}
