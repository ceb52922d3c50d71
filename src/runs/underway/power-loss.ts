/** A run whose power is lost at a moment that somebody asked for: `--power-loss`. */
import type { Stamped } from '../../events/stamped.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PendingInput } from '../../machine/parts.ts';
import type { SparseBytes } from '../../memory/sparse.ts';
import { UnflushedOf } from '../../replay/disk/drive-contents.ts';
import { fateText, losePower } from '../../replay/disk/power-loss.ts';
import { CHANCE } from '../../replay/sources/random.ts';
import type { RunOptions } from '../machine/run-options.ts';

/** The input that is going to come. */
export const powerLossAsked = ({ powerLossAt }: RunOptions): PendingInput | undefined =>
  powerLossAt === undefined ? undefined : { event: { kind: 'sim:power_lost' }, ...powerLossAt };

/** A drive after its power failed. */
export interface Survived {
  readonly content: SparseBytes;
  /** What became of the writes that were not durable, as a sentence. */
  readonly fate: string;
}

/** A reader of a run that knows what its drives hold should their power fail. To be told every event as it happens. */
export class DrivesWithoutPower {
  private readonly readers: ReadonlyMap<string, UnflushedOf>;
  private readonly seed: string;

  /** At the run's first moment. */
  constructor({ vmm }: Pick<Machine, 'vmm'>, seed: string) {
    this.readers = new Map([...(vmm.drives ?? [])].map(([id, { bytes }]) => [id, new UnflushedOf(bytes, id)]));
    this.seed = seed;
  }

  next(stamped: Stamped): void {
    for (const reader of this.readers.values()) reader.next(stamped);
  }

  /** What `disk crash --at end` gives for the run's own seed. */
  survived(id: string): Survived | undefined {
    const reader = this.readers.get(id);
    if (reader === undefined) return undefined;
    const after = losePower(reader.now(), CHANCE, this.seed);
    return { content: after.content, fate: fateText(after) };
  }
}
