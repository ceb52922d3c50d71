import { onOneLine, printable } from './printable.ts';

/**
 * A failure of the world (a missing file, a corrupt image, a wrong option): one clear sentence
 * saying what, where and what to do. The command line prints it and ends with a non-zero status.
 */
export class Problem extends Error {
  constructor(sentence: string) {
    // Most sentences quote somebody: a name, a path, a field of a file.
    super(printable(sentence));
    this.name = 'Problem';
  }
}

const LONGEST_NAME = 200;

/** A text of somebody else's in a sentence of ours. */
export const shortly = (text: string): string =>
  onOneLine(text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME)}...` : text);
