import { complain } from '../host/output.ts';
import type { TraceReader } from '../replay/trace/reader.ts';

const DAMAGED = 1;

/** Tell a person who only looks that a trace has no end. */
export function sayCut({ cut }: Pick<TraceReader, 'cut'>): void {
  if (cut !== undefined) complain(cut);
}

/** What is wrong with a trace that was judged. */
export interface JudgedTrace {
  readonly damage: string | undefined;
  readonly cut: string | undefined;
}

/** Say what is wrong with a trace that was judged. The status: that it has no end counts unless it was accepted. */
export function statusOfDamage({ damage, cut }: JudgedTrace, name?: string): number {
  const which = name === undefined ? '' : `${name}: `;
  if (damage === undefined) {
    if (cut !== undefined) complain(`${which}${cut}`);
    return 0;
  }
  complain(`${which}${damage}${damage === cut ? ' `--accept-cut` takes that for the whole.' : ''}`);
  return DAMAGED;
}
