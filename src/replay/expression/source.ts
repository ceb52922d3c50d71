import { Problem } from '../../base/problem.ts';

/** Most characters of an expression that are shown with what is wrong with it. */
const SHOWN = 72;

/** What somebody typed, and a place in it. */
export interface Place {
  readonly text: string;
  /** Characters before it. */
  readonly at: number;
}

/** What is wrong and where: the sentence, the text and a caret below the place. */
export function refuse({ text, at }: Place, sentence: string): never {
  const from = Math.max(0, Math.min(at - (SHOWN >> 1), text.length - SHOWN));
  const shown = text.slice(from, from + SHOWN).replaceAll(/[^\x20-\x7e]/g, '?');
  throw new Problem(`${sentence} (column ${at + 1})\n  ${shown}\n  ${' '.repeat(at - from)}^`);
}
