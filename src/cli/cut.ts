import type { TraceReader } from '../replay/trace/reader.ts';

const DAMAGED = 1;

const say = (sentence: string): void => void process.stderr.write(`retrovisor: ${sentence}\n`);

/** Tell a person who only looks that a trace has no end. */
export function sayCut({ cut }: Pick<TraceReader, 'cut'>): void {
  if (cut !== undefined) say(cut);
}

/** What is wrong with a trace that was judged. */
export interface JudgedTrace {
  readonly damage: string | undefined;
  readonly cut: string | undefined;
}

/** Say what is wrong with a trace that was judged. The status: that it has no end counts unless it was accepted. */
export function statusOfDamage({ damage, cut }: JudgedTrace): number {
  if (damage === undefined) {
    sayCut({ cut });
    return 0;
  }
  say(damage === cut ? `${damage} \`--accept-cut\` takes that for the whole.` : damage);
  return DAMAGED;
}
