import type { Draft } from '../../base/draft.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { MachineEvent } from '../../events/vocabulary.ts';
import type { DeviceReducer, FactReducers } from '../device.ts';

type Reduce = (state: object, event: MachineEvent, stamped: Stamped) => void;

/** What facts do to a state by one reducer, then by another, which knows more of it. */
export function joinReducers<S, More extends S>(
  first: DeviceReducer<S>,
  own: DeviceReducer<More>,
): DeviceReducer<More> {
  const general = first as DeviceReducer<More>;
  return {
    written(state: Draft<More>, access, stamped) {
      general.written?.(state, access, stamped);
      own.written?.(state, access, stamped);
    },
    taken(state: Draft<More>, access) {
      general.taken?.(state, access);
      own.taken?.(state, access);
    },
    fired: (state: Draft<More>, timer) => own.fired?.(state, timer),
    reset(state: Draft<More>) {
      general.reset?.(state);
      own.reset?.(state);
    },
    facts: joinFacts(general.facts ?? {}, own.facts ?? {}),
  };
}

function joinFacts<S>(first: FactReducers<S>, own: FactReducers<S>): FactReducers<S> {
  const kinds = new Set([...Object.keys(first), ...Object.keys(own)]);
  const byKind = (reducers: FactReducers<S>): Readonly<Record<string, Reduce>> =>
    reducers as unknown as Readonly<Record<string, Reduce>>;
  const joined = [...kinds].map((kind): [string, Reduce] => [
    kind,
    (state, event, stamped) => {
      byKind(first)[kind]?.(state, event, stamped);
      byKind(own)[kind]?.(state, event, stamped);
    },
  ]);
  return Object.fromEntries(joined) as unknown as FactReducers<S>;
}
