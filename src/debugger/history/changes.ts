import type { Seq, Tick } from '../../base/units.ts';
import type { WatchedValue } from '../../engine/index.ts';
import { registersOf } from '../../machine/guest-view.ts';
import type { Change } from './memory-writes.ts';
import { isSystemRegister, registerReader } from '../look/named-registers.ts';
import type { DebugSession } from '../session.ts';
import { printed } from './state-difference.ts';
import { type Bound, type Here, runOn, searchBack, stand } from '../stops/windows.ts';

/** Something whose every change can be heard while a run is run again. */
export interface Followed {
  read(): string;
  /** Events beyond a place that may be raised on the way to it: it lies before what they do. */
  readonly beyond: 0 | 1;
  /** Run on to a bound, telling every change; stands at the start of the bound. */
  hear(bound: Bound, hear: (change: Change) => void): void;
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
    hear(bound, hear) {
      const stops = machine.engine.stops;
      let before = read();
      stops?.waitFor({ values: [value] });
      try {
        runOn(session, bound, () => {
          if (stops?.takeAll().length === 0) return undefined;
          const after = read();
          hear({ tick: machine.ticks, seq: machine.seq, before, after });
          before = after;
          return 'again';
        });
      } finally {
        stops?.disarm();
      }
    },
  };
}

/** A field of the hypervisor's and devices' state, by path: compared at every event. */
export function followedState(session: DebugSession, path: string): Followed {
  const { timeline } = session.run;
  const read = (): string => printed(stateAt(session, path));
  return {
    read,
    beyond: 0,
    hear(bound, hear) {
      let before = read();
      const compare = (tick: Tick, seq: Seq): void => {
        const after = read();
        if (after !== before) hear({ tick, seq, before, after });
        before = after;
      };
      timeline.watching(
        ({ tick, seq }) => compare(tick, seq),
        () =>
          runOn(session, bound, () => {
            compare(timeline.machine.ticks, timeline.machine.seq);
            return undefined;
          }),
      );
    },
  };
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
export function lastChange(session: DebugSession, { hear, beyond }: Followed, here: Here): Change | undefined {
  return searchBack(session, here, 0, ({ tick }) => {
    let last: Change | undefined;
    hear({ tick, seq: here.seq + beyond }, (change) => {
      if (change.tick < here.tick || (change.tick === here.tick && change.seq <= here.seq)) last = change;
    });
    return last;
  });
}

/** Hear of every change of the run, oldest first. The session is elsewhere afterwards. */
export function hearAllChanges(session: DebugSession, followed: Followed, hear: (change: Change) => void): void {
  stand(session, 0);
  followed.hear({ tick: Number.POSITIVE_INFINITY, seq: Number.POSITIVE_INFINITY }, hear);
}
