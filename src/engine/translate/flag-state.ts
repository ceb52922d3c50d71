import type { Size, V } from '../emit/builder.ts';

/**
 * Where the status flags are at a point of the code. `stored`: in their three locals. `parked`: in these, or what they
 * follow from is, as the local `kind` says when the code runs. `add`, `sub` and `logic`: they follow from these values,
 * if anybody asks. `dead`: nobody will.
 */
export type FlagState =
  | { readonly kind: 'stored' }
  | { readonly kind: 'parked' }
  | { readonly kind: 'dead' }
  | { readonly kind: 'add' | 'sub'; readonly a: V; readonly b: V; readonly result: V; readonly size: Size }
  | { readonly kind: 'logic'; readonly result: V; readonly size: Size };

/** They follow from values. */
export type Pending = Exclude<FlagState, { kind: 'stored' | 'parked' | 'dead' }>;

export const STORED: FlagState = { kind: 'stored' };
export const PARKED: FlagState = { kind: 'parked' };
export const DEAD: FlagState = { kind: 'dead' };

export const isPending = (state: FlagState): state is Pending =>
  state.kind === 'add' || state.kind === 'sub' || state.kind === 'logic';

/** The values it needs. */
export function valuesOf(state: FlagState): readonly V[] {
  if (!isPending(state)) return [];
  return state.kind === 'logic' ? [state.result] : [state.a, state.b, state.result];
}
