import type { Seq, Tick } from '../base/units.ts';
import type { Tell } from '../events/origin.ts';
import { NONE } from '../events/origin.ts';
import { MAIN_LOOP, type Source, type Stamped } from '../events/stamped.ts';
import type { MachineEvent } from '../events/vocabulary.ts';
import { evolve, rowOf } from '../reducers/evolve.ts';
import { bitsOf } from '../reducers/row.ts';
import { draftOf, isDigestNext, type MachineContext, nextSeq, UNKNOWN } from './context.ts';

const OWNERS_OF_KERNEL_DEADLINES = bitsOf('kernelTimers');
const OWNERS_OF_USER_DEADLINES = bitsOf('timers', 'drives', 'net', 'schedule', 'dirty');

/**
 * The one place where events get their envelope: a fact is stamped, evolved and told, in this order, before whoever
 * raised it goes on.
 */
export function teller(context: MachineContext): Tell {
  const { digests } = context;
  const put = (event: MachineEvent, source: Source, cause: Seq, within: Seq, tick: Tick): number => {
    const seq = nextSeq(context);
    const row = rowOf(event.kind);
    if (row.bytes.length > 0) own(event, row.bytes);
    const stamped: Stamped = {
      seq,
      tick,
      source,
      cause: cause === NONE ? undefined : cause,
      within: within === NONE ? undefined : within,
      event,
    };
    const owners = evolve(draftOf(context), stamped, row);
    digests.touch(owners);
    if ((owners & OWNERS_OF_KERNEL_DEADLINES) !== 0) context.kernelDeadline = UNKNOWN;
    if ((owners & OWNERS_OF_USER_DEADLINES) !== 0) context.userDeadline = UNKNOWN;
    context.parts.onEvent(stamped);
    return seq;
  };
  return (event, { source, cause, within }, tick = context.ticks) => {
    if (isDigestNext(context)) {
      put({ kind: 'sim:digest', slices: digests.take(context.state) }, MAIN_LOOP, NONE, NONE, tick);
    }
    return put(event, source, cause, within, tick);
  };
}

const NO_BYTES = new Uint8Array(0);

/** The event is ours from here on; the bytes it was given may not be. */
function own(event: MachineEvent, names: readonly string[]): void {
  const fields = event as unknown as Record<string, Uint8Array>;
  for (const name of names) fields[name] = fields[name]!.length === 0 ? NO_BYTES : new Uint8Array(fields[name]!);
}
