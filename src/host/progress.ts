const SILENT_MS = 2000;
const EVERY_MS = 500;
const SECOND_MS = 1000;
const MINUTE_S = 60;
/** Up to here seconds are told, beyond it minutes. */
const IN_SECONDS = 90;

/** Tells a person at a terminal how far a long job has come, once it has taken two seconds. */
export interface Progress {
  /** `share`: 0 to 1; undefined where nobody knows. */
  at(share: number | undefined): void;
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
      process.stderr.write(`\r${progressText(job, share, now - begun)}\x1b[K`);
    },
    end() {
      if (shownAt > 0) process.stderr.write('\r\x1b[K');
    },
  };
}

/** How far a job is, and how long the rest takes if it goes on as it went. */
export function progressText(job: string, share: number | undefined, spentMs: number): string {
  if (share === undefined || share <= 0) return `${job}: ${(spentMs / SECOND_MS).toFixed(0)} s`;
  const left = (spentMs * (1 - share)) / share / SECOND_MS;
  const rest = left < IN_SECONDS ? `${Math.ceil(left)} s` : `${Math.ceil(left / MINUTE_S)} min`;
  return `${job}: ${Math.floor(share * 100)} %, ${rest} left`;
}
