/** EPT as KVM remembers it: which page holds which entries. The processor walks a copy of the same words. */
import { invariant } from '../../base/invariant.ts';
import type { Gpa } from '../../base/units.ts';
import { EPT_POOL_BASE, eptIndex } from '../../memory/ept-pool.ts';
import type { EptState } from '../state.ts';
import type { MmuRoot } from './root.ts';
import { addressOf, isLarge, isPresent } from './spte.ts';

/** An entry: the table it stands in, its place there and what it holds. */
export interface EptPlace {
  readonly table: number;
  readonly index: number;
  readonly level: number;
  readonly spte: bigint;
}

/** An entry of a table, 0 where nothing was put. */
const entryOf = ({ tables }: EptState, table: number, index: number): bigint => tables[table]?.[index] ?? 0n;

/** The page the next table will be. */
export const nextTable = ({ free, next }: EptState): number => free[free.length - 1] ?? EPT_POOL_BASE + next * 4096;

/** The entry below a root that translates `gpa` at `goal`, or the one above it at which a walk ends. */
export function walkTo(ept: EptState, root: MmuRoot, gpa: Gpa, goal: number): EptPlace {
  let { table } = root;
  invariant(goal >= 1 && goal <= root.level, 'a walk has as many levels as its root', { goal });
  for (let { level } = root; ; level -= 1) {
    const index = eptIndex(gpa, level);
    const spte = entryOf(ept, table, index);
    if (level === goal || !isPresent(spte) || isLarge(spte)) return { table, index, level, spte };
    table = addressOf(spte);
  }
}

/** The tables of a root, in the order in which they are given back. */
export const tablesOf = (ept: EptState, { table, level }: MmuRoot): number[] =>
  table === 0 ? [] : tablesBelow(ept, table, level);

/** A table and all below it, in the order in which they are given back: what is below comes first. */
export function tablesBelow(ept: EptState, table: number, level: number): number[] {
  const below: number[] = [];
  collect(ept, table, level, below);
  return below;
}

function collect(ept: EptState, table: number, level: number, below: number[]): void {
  invariant(below.length < ept.next, 'a table stands in one place of the tree', { table });
  if (level > 1) {
    for (const spte of Object.values(ept.tables[table] ?? {})) {
      if (isPresent(spte) && !isLarge(spte)) collect(ept, addressOf(spte), level - 1, below);
    }
  }
  below.push(table);
}
