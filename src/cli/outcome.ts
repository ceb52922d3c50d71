import type { Print } from './trace-commands.ts';

/** Where commands print, and what they came to. */
export interface Outcome {
  readonly print: Print;
  /** What was printed is out when this returns. */
  flush(): void;
  done(status: number): void;
}
