import type { MeaningBuilder } from '../emit/builder.ts';

/** How an instruction goes on: to the next, there or elsewhere, elsewhere, or to an address it works out. */
export type Flow = 'next' | 'branch' | 'jump' | 'indirect';

/** An instruction as one handler serves it. */
export interface Form {
  readonly key: string;
  readonly flow: Flow;
  /** It may take more ticks than one: the block ends with it. */
  readonly repeats: boolean;
  emit(m: MeaningBuilder): void;
}

const BRANCH = /^(j(?!mp)|loop)/;
const JUMP = /^(jmp\.near|call\.near)/;
const INDIRECT = /^(jmp|call|ret)[.:]/;
const REPEATED = /^str\..*:(rep|repne)\./;

/** How a handler's instruction goes on, by the handler's name. */
export function formOf(key: string, emit: (m: MeaningBuilder) => void): Form {
  const flow = BRANCH.test(key) ? 'branch' : JUMP.test(key) ? 'jump' : INDIRECT.test(key) ? 'indirect' : 'next';
  return { key, flow, repeats: REPEATED.test(key), emit };
}
