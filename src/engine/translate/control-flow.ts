import type { Blocks } from './blocks.ts';

/** How blocks lie in a function that has no GOTO: nested loops, and blocks one leaves forward. */
export interface ControlFlow {
  /** Where a block stands in reverse postorder. */
  readonly order: ReadonlyMap<number, number>;
  /** Blocks that are emitted within a block's reach, several ways leading to each. */
  readonly merges: ReadonlyMap<number, readonly number[]>;
  readonly isLoop: ReadonlySet<number>;
  readonly isMerge: ReadonlySet<number>;
  /** Edges into the middle of a loop: they leave the region. */
  readonly isCut: (from: number, to: number) => boolean;
}

/** Ramsey, Beyond Relooper (2022): dominators tell where a block's code is nested. */
export function controlFlow(blocks: Blocks, entry: number): ControlFlow {
  const sequence = reversePostorder(blocks, entry);
  const order = new Map(sequence.map((block, at) => [block, at]));
  const parents = immediateDominators(blocks, sequence, order);
  const dominates = (a: number, b: number): boolean => {
    let at = b;
    while ((order.get(at) as number) > (order.get(a) as number)) at = parents.get(at) as number;
    return at === a;
  };
  const isLoop = new Set<number>();
  const cut = new Set<string>();
  const forward = new Map<number, number>();
  for (const from of sequence) {
    for (const to of successors(blocks, from)) {
      if ((order.get(to) as number) > (order.get(from) as number)) forward.set(to, (forward.get(to) ?? 0) + 1);
      else if (dominates(to, from)) isLoop.add(to);
      else cut.add(`${from}:${to}`);
    }
  }
  const isMerge = new Set([...forward].filter(([, ways]) => ways > 1).map(([block]) => block));
  const merges = new Map<number, number[]>();
  for (const block of sequence) {
    if (!isMerge.has(block)) continue;
    const parent = parents.get(block) as number;
    merges.set(parent, [...(merges.get(parent) ?? []), block]);
  }
  return { order, merges, isLoop, isMerge, isCut: (from, to) => cut.size > 0 && cut.has(`${from}:${to}`) };
}

/** Where a block may go on, within the region. */
function successors(blocks: Blocks, from: number): readonly number[] {
  const block = blocks.get(from);
  if (block === undefined) return [];
  const { fall, taken } = block;
  const found = blocks.has(fall) ? [fall] : [];
  return blocks.has(taken) && taken !== fall ? [...found, taken] : found;
}

function reversePostorder(blocks: Blocks, entry: number): number[] {
  const seen = new Set([entry]);
  const done: number[] = [];
  const stack = [{ block: entry, left: [...successors(blocks, entry)] }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.left.shift();
    if (next === undefined) {
      done.push(top.block);
      stack.pop();
    } else if (!seen.has(next)) {
      seen.add(next);
      stack.push({ block: next, left: [...successors(blocks, next)] });
    }
  }
  return done.reverse();
}

/** Cooper, Harvey, Kennedy, A Simple, Fast Dominance Algorithm (2001). */
function immediateDominators(
  blocks: Blocks,
  sequence: readonly number[],
  order: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  const predecessors = new Map<number, number[]>(sequence.map((block) => [block, []]));
  for (const from of sequence) for (const to of successors(blocks, from)) predecessors.get(to)?.push(from);
  const entry = sequence[0] as number;
  const parents = new Map<number, number>([[entry, entry]]);
  const at = (block: number): number => order.get(block) as number;
  const common = (a: number, b: number): number => {
    let [x, y] = [a, b];
    while (x !== y) {
      while (at(x) > at(y)) x = parents.get(x) as number;
      while (at(y) > at(x)) y = parents.get(y) as number;
    }
    return x;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of sequence.slice(1)) {
      const known = (predecessors.get(block) as number[]).filter((each) => parents.has(each));
      const parent = known.reduce(common);
      if (parents.get(block) === parent) continue;
      parents.set(block, parent);
      changed = true;
    }
  }
  return parents;
}
