import type { Size, V } from '../emit/builder.ts';

/**
 * Where the status flags are at a point of the code. `stored`: in their three locals. `sub` and `logic`: nowhere yet,
 * they follow from these values, if anybody asks. `dead`: nobody will.
 */
export type FlagState =
  | { readonly kind: 'stored' }
  | { readonly kind: 'dead' }
  | { readonly kind: 'add' | 'sub'; readonly a: V; readonly b: V; readonly result: V; readonly size: Size }
  | { readonly kind: 'logic'; readonly result: V; readonly size: Size };

export const STORED: FlagState = { kind: 'stored' };
export const DEAD: FlagState = { kind: 'dead' };

/** The values it needs. */
export function valuesOf(state: FlagState): readonly V[] {
  if (state.kind === 'logic') return [state.result];
  return state.kind === 'stored' || state.kind === 'dead' ? [] : [state.a, state.b, state.result];
}
