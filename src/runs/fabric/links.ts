/** How far a machine may run before what another sends can reach it: the links between them take their time. */
import type { Ns } from '../../base/units.ts';

/** A backend of a machine's that a link ends at. */
export interface LinkEnd {
  /** Which machine, by its place in the list. */
  readonly machine: number;
  /** The backend's part, like `frames#0`. */
  readonly dev: string;
}

/** What leaves at one end comes out at the other, so much later or still later than that. */
export interface Link {
  readonly ends: readonly [LinkEnd, LinkEnd];
  readonly latencyNs: number;
  /** It is no cable, but within a Linux: what is left to be done to packets goes with them. */
  readonly isInside?: boolean | undefined;
}

/**
 * Virtual time before which nothing that the others do by themselves reaches machine `at`. `earliest`: of each machine,
 * when it next does anything by itself. What `at` itself sends, and has back, is not in it: who runs it looks again
 * once it has sent something.
 */
export function horizonOf(at: number, earliest: readonly Ns[], links: readonly Link[]): Ns {
  // Nobody acts before the earliest of those it can hear of: shortest ways, each link as long as it takes.
  const bounds = earliest.map((ns, machine) => (machine === at ? Infinity : ns));
  for (let isSettled = false; !isSettled; ) {
    isSettled = true;
    for (const { ends, latencyNs } of links) {
      for (const [from, to] of [ends, [ends[1], ends[0]] as const]) {
        const reaches = bounds[from.machine]! + latencyNs;
        if (to.machine === at || reaches >= bounds[to.machine]!) continue;
        bounds[to.machine] = reaches;
        isSettled = false;
      }
    }
  }
  let horizon = Infinity;
  for (const { ends, latencyNs } of links) {
    for (const [from, to] of [ends, [ends[1], ends[0]] as const]) {
      if (to.machine === at) horizon = Math.min(horizon, bounds[from.machine]! + latencyNs);
    }
  }
  return horizon;
}
