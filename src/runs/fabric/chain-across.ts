import type { Stamped } from '../../events/stamped.ts';
import { Chain, pathTo } from '../../replay/export/chain.ts';
import { type EventOfMachine, eventOf, keyOf, type Passages } from './passages.ts';

/** What led to an event of one of several machines, and what it led to: over the links to what others did. */
export class ChainAcross {
  /** How many events led to it. */
  readonly causes: number;
  private readonly passages: Passages;
  private readonly chain: Chain;

  /** `runs`: the events of each machine, from its first. */
  constructor(runs: readonly (readonly Stamped[])[], passages: Passages, asked: EventOfMachine) {
    this.passages = passages;
    const path = pathTo(keyOf(asked), (key) => {
      const { machine, seq } = eventOf(key);
      return this.causeOf(machine, runs[machine]![seq]!);
    });
    this.causes = path.length - 1;
    this.chain = new Chain(path);
  }

  /** How deep an event stands in the tree. To be asked by the clock of all. Undefined: it has nothing to do with it. */
  depthOf(machine: number, stamped: Stamped): number | undefined {
    return this.chain.depthOf(keyOf({ machine, seq: stamped.seq }), this.causeOf(machine, stamped));
  }

  /** What came from another machine is because of what left that. */
  private causeOf(machine: number, { seq, cause }: Stamped): number | undefined {
    const place = cause === undefined ? this.passages.sentAs({ machine, seq }) : { machine, seq: cause };
    return place === undefined ? undefined : keyOf(place);
  }
}
