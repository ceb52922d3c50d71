import type { Seq, Tick } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { WatchedValue } from '../../engine/index.ts';
import { type Stamped, vcpuOf } from '../../events/stamped.ts';
import { linearRip, registersOf, vcpuCount } from '../../machine/guest-view.ts';
import type { Change } from './memory-writes.ts';
import { isSystemRegister, registerReader } from '../look/named-registers.ts';
import type { DebugSession } from '../session.ts';
import { type FieldDifference, keptOf, printed, takeDifferences } from './state-difference.ts';
import { type Bound, type Here, runOn, searchBack } from '../stops/windows.ts';

/** Something whose every change can be heard while a run is run again. */
export interface Followed {
  read(): string;
  /** Events beyond a place that may be raised on the way to it: it lies before what they do. */
  readonly beyond: 0 | 1;
  /** Run on to a bound, telling every change; stands at the start of the bound. */
  hear(bound: Bound, hear: (change: Change) => void): Work<void>;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** A register of one processor: compared at every instruction and every VM entry. */
export function followedRegister(session: DebugSession, name: string, vcpu: number): Followed {
  const { machine } = session.run.timeline;
  const look = registerReader(name);
  const isSystem = isSystemRegister(name);
  const value: WatchedValue = { vcpu, isSystem, read: () => look(registersOf(session.view, vcpu)) };
  const read = (): string => hex(value.read());
  return {
    read,
    beyond: 1,
    *hear(bound, hear) {
      const stops = machine.engine.stops;
      let before = read();
      stops?.waitFor({ values: [value] });
      try {
        yield* runOn(session, bound, {
          isOver() {
            if (stops?.takeAll().length === 0) return undefined;
            const after = read();
            hear({ tick: machine.ticks, seq: machine.seq, before, after });
            before = after;
            return 'again';
          },
        });
      } finally {
        stops?.disarm();
      }
    },
  };
}

/** A field of the hypervisor's and devices' state, or all below it, by path: compared at every event. */
export function followedState(session: DebugSession, path: string): Followed {
  const { timeline } = session.run;
  const read = (): string => printed(stateAt(session, path));
  return {
    read,
    beyond: 0,
    *hear(bound, hear) {
      const kept = { value: keptOf(stateAt(session, path)) };
      const compare = (tick: Tick, seq: Seq, event?: Stamped): void => {
        const leaves = takeDifferences(kept, stateAt(session, path), path);
        if (leaves.length > 0) hear({ tick, seq, ...valuesOf(leaves), ...writerOf(session, event), leaves });
      };
      const heard = (stamped: Stamped): void => compare(stamped.tick, stamped.seq, stamped);
      yield* runOn(session, bound, { run: (piece) => timeline.watching(heard, piece) });
      compare(timeline.machine.ticks, timeline.machine.seq);
    },
  };
}

function valuesOf(leaves: readonly FieldDifference[]): Pick<Change, 'before' | 'after'> {
  const [first, ...more] = leaves as [FieldDifference];
  const rest = more.length === 0 ? '' : ` and ${more.length} more`;
  return { before: printed(first.left), after: `${printed(first.right)}${rest}` };
}

/** The event that changed it, and where the guest was. */
function writerOf({ view }: DebugSession, event: Stamped | undefined): Pick<Change, 'event' | 'rip'> {
  if (event === undefined) return {};
  const own = vcpuOf(event.source);
  const vcpu = own < 0 ? view.machine.state.schedule.turn : own;
  return vcpu < vcpuCount(view) ? { event, rip: linearRip(view, vcpu) } : { event };
}

function stateAt(session: DebugSession, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) =>
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      session.view.machine.state,
    );
}

/** The last change before a place. The session is elsewhere afterwards. */
export function* lastChange(session: DebugSession, { hear, beyond }: Followed, here: Here): Work<Change | undefined> {
  return yield* searchBack(session, here, 0, function* ({ tick }) {
    let last: Change | undefined;
    yield* hear({ tick, seq: here.seq + beyond }, (change) => {
      if (change.tick < here.tick || (change.tick === here.tick && change.seq <= here.seq)) last = change;
    });
    return last;
  });
}

/** Hear of every change of the run, oldest first. The session is elsewhere afterwards. */
export function* hearAllChanges(session: DebugSession, followed: Followed, hear: (change: Change) => void): Work<void> {
  yield* session.standing(0);
  yield* followed.hear({ tick: Number.POSITIVE_INFINITY, seq: Number.POSITIVE_INFINITY }, hear);
}
