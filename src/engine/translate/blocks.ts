import * as L from '../state/layout.ts';
import type { Form } from '../meanings/form.ts';

/** What is known of records. */
export interface Records {
  readonly view: DataView;
  /** They are 64-bit code, whose rip is not cut. */
  readonly isLong: boolean;
  /** The form of the instruction of a record; undefined: it is none that can be translated. */
  formAt(record: number): Form | undefined;
  /** No branch has been taken to a record so far. */
  isCold(record: number): boolean;
  /** Where a record that only leads on leads to, or the record itself. */
  onward(record: number): number;
}

export interface Instruction {
  readonly record: number;
  readonly form: Form;
  /** Records it may go on at; 0: none that is known. */
  readonly taken: number;
  readonly fall: number;
}

/** Instructions that are executed one behind the other. */
export interface Block {
  readonly instructions: Instruction[];
  /** Records it may go on at; 0: none, or none that is known. */
  readonly taken: number;
  readonly fall: number;
}

/** A block of instructions by the record of its first. */
export type Blocks = ReadonlyMap<number, Block>;

/** The instructions that can be reached from `entry` within its page, at most `limit` of them, in blocks. */
export function blocksFrom(records: Records, entry: number, limit: number): Blocks {
  const { instructions, leaders } = reached(records, entry, limit);
  const blocks = new Map<number, Block>();
  for (const leader of leaders) {
    if (instructions.has(leader)) blocks.set(leader, blockAt(leader, instructions, leaders));
  }
  return blocks;
}

function reached(records: Records, entry: number, limit: number) {
  const instructions = new Map<number, Instruction>();
  const leaders = new Set<number>([entry]);
  const work = [entry];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    leaders.add(next);
    for (let at = next; at !== 0 && instructions.size < limit; ) {
      if (instructions.has(at)) {
        leaders.add(at);
        break;
      }
      const instruction = instructionAt(records, at);
      if (instruction === undefined) break;
      instructions.set(at, instruction);
      const { taken, fall, form } = instruction;
      if (form.flow === 'next' && !form.repeats) {
        at = fall;
        continue;
      }
      if (taken !== 0) work.push(taken);
      if (fall !== 0) work.push(fall);
      break;
    }
  }
  return { instructions, leaders };
}

function instructionAt(records: Records, record: number): Instruction | undefined {
  const form = records.formAt(record);
  if (form === undefined) return undefined;
  const { flow } = form;
  const target = flow === 'branch' || flow === 'jump' ? records.view.getUint32(record + L.R_TARGET, true) : 0;
  const fall = flow === 'next' || flow === 'branch' ? records.onward(record + L.RECORD) : 0;
  // Where nobody has gone yet the region is left, should anybody go there.
  const taken = target === 0 || (flow === 'branch' && records.isCold(target)) ? 0 : records.onward(target);
  return { record, form, taken, fall };
}

function blockAt(leader: number, instructions: ReadonlyMap<number, Instruction>, leaders: ReadonlySet<number>): Block {
  const block: Instruction[] = [];
  for (let at = leader; ; ) {
    const instruction = instructions.get(at);
    if (instruction === undefined || (at !== leader && leaders.has(at))) {
      return { instructions: block, taken: 0, fall: at };
    }
    block.push(instruction);
    const { form, taken, fall } = instruction;
    if (form.flow !== 'next' || form.repeats) return { instructions: block, taken, fall };
    at = fall;
  }
}
