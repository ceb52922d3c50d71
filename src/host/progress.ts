const SILENT_MS = 2000;
const EVERY_MS = 500;

/** Tells a person at a terminal how far a long job has come, once it has taken two seconds. */
export interface Progress {
  /** `share`: 0 to 1. */
  at(share: number): void;
  /** Take the line away. */
  end(): void;
}

/** Progress on standard error; silent when nobody is there to read it. */
export function progressOf(job: string): Progress {
  const begun = performance.now();
  let shownAt = 0;
  return {
    at(share) {
      const now = performance.now();
      if (process.stderr.isTTY !== true || now - begun < SILENT_MS || now - shownAt < EVERY_MS) return;
      shownAt = now;
      process.stderr.write(`\r${job}: ${Math.floor(share * 100)} %`);
    },
    end() {
      if (shownAt > 0) process.stderr.write('\r\x1b[K');
    },
  };
}
