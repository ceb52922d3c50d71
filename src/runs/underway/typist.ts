import { latin1 } from '../../base/bytes.ts';
import type { TypedLine } from '../machine/run-options.ts';

/** A script of lines to type, each once the guest has printed what it waits for. */
export interface Typist {
  /** The guest printed these bytes. */
  hear(bytes: Uint8Array): void;
  /** What to type now, if what the script waits for has been printed. */
  next(): Uint8Array | undefined;
  /** What the script still waits for; `undefined` when it is done. */
  waitingFor(): string | undefined;
}

const encoder = new TextEncoder();
const HEARD_MAX = 64 * 1024;

/** Type lines at a guest by what it prints. What was printed before a line was typed does not count for the next. */
export function typist(lines: readonly TypedLine[]): Typist {
  let heard = '';
  let at = 0;
  return {
    hear(bytes) {
      if (at < lines.length) heard = (heard + latin1(bytes)).slice(-HEARD_MAX);
    },
    next() {
      const line = lines[at];
      if (line === undefined) return undefined;
      const after = latin1(encoder.encode(line.after));
      const found = heard.indexOf(after);
      if (found < 0) return undefined;
      heard = heard.slice(found + after.length);
      at += 1;
      return encoder.encode(line.text);
    },
    waitingFor: () => lines[at]?.after,
  };
}
