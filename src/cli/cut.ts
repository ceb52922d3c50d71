import { complain } from '../host/output.ts';
import type { RecordedRun } from '../runs/recorded/recorded-run.ts';

const DAMAGED = 1;

/** What is wrong with a trace. */
export interface JudgedTrace {
  readonly damage: string | undefined;
  readonly cut: string | undefined;
}

/** Say what is wrong with a trace. The status: that it has no end counts unless it was accepted. */
export function statusOfDamage({ damage, cut }: JudgedTrace, name?: string): number {
  const which = name === undefined ? '' : `${name}: `;
  if (damage === undefined) {
    if (cut !== undefined) complain(`${which}${cut}`);
    return 0;
  }
  complain(`${which}${damage}${damage === cut ? ' `--accept-cut` takes that for the whole.' : ''}`);
  return DAMAGED;
}

/** Say what is wrong with a trace that is run again for who only looks, who accepts that it has no end. The status. */
export const statusOfRun = ({ read, trace }: Pick<RecordedRun, 'read' | 'trace'>): number =>
  statusOfDamage({ damage: read.damage, cut: trace.cut });
