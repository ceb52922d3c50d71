/** Moments of a run at which a drive that lost its power would lose something. */
import type { Stamped } from '../../events/stamped.ts';
import type { Chance } from '../../machine/parts.ts';
import type { Mark } from '../timeline.ts';

/**
 * A reader of a run that finds where a completion left changes of a drive that no flush has made durable. To be told
 * every event of `tellsOfDrives`, in order.
 */
export class Exposures {
  private readonly drive: string;
  private readonly found: Mark[] = [];
  private unflushed = 0;
  /** Just after what the last completion did to the drive. */
  private last: Mark | undefined;

  constructor(drive: string) {
    this.drive = drive;
  }

  next({ seq, tick, event }: Stamped): void {
    if (!('drive' in event) || event.drive !== this.drive) return;
    if (event.kind === 'sim:disk_completed') this.take();
    else if (event.kind === 'sim:disk_written' || event.kind === 'sim:disk_cleared') this.unflushed += 1;
    else if (event.kind === 'sim:disk_flushed') this.unflushed = 0;
    else return;
    this.last = { seq: seq + 1, tick };
  }

  /** All there are. */
  end(): readonly Mark[] {
    this.take();
    return this.found;
  }

  private take(): void {
    if (this.last !== undefined && this.unflushed > 0) this.found.push(this.last);
    this.last = undefined;
  }
}

/** A moment at which the power fails, and the seed of what is lost. */
export interface CrashPoint {
  readonly mark: Mark;
  readonly seed: string;
}

const STREAM = 'crash points';

/** So many of the moments, in the order of the run; one may come several times, with seeds of its own. */
export function drawPoints(moments: readonly Mark[], count: number, chance: Chance, seed: string): CrashPoint[] {
  if (moments.length === 0) return [];
  const drawn = Array.from({ length: count }, (_, at) => {
    const number = chance.int32(seed, STREAM, at + 1) >>> 0;
    return { mark: moments[number % moments.length]!, seed: `${seed}.${at + 1}` };
  });
  return drawn.sort((one, other) => one.mark.seq - other.mark.seq);
}
