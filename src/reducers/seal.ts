import { type Draft as ImmerDraft, freeze, Immer, produce } from 'immer';
import type { Draft } from '../base/draft.ts';

type Plain = Record<string, unknown>;

const isContainer = (value: unknown): value is Plain => typeof value === 'object' && value !== null;

/**
 * An immutable value equal to `open`, sharing with `sealed` everything that did not change. `open` stays free to be
 * changed in place. This is the one place where state becomes immutable.
 */
export function seal<S extends object>(sealed: S | undefined, open: S): S {
  if (sealed === undefined) return freeze(thaw(open) as S, true);
  if (isSame(sealed, open)) return sealed;
  return produce(sealed, (draft: ImmerDraft<S>) => reconcile(draft as Plain, sealed as Plain, open as Plain));
}

/** Immer's own walk to what is to be frozen takes as long again as the rest of its work. */
const UNFROZEN = new Immer({ autoFreeze: false });

/** The frozen value that `change` makes of a frozen one, sharing with it all that did not change. */
export const changed = <S extends object>(sealed: S, change: (draft: ImmerDraft<S>) => void): S =>
  freezeNew(UNFROZEN.produce(sealed, change));

/**
 * The same, where a change gives fields other values, and fields of these parts, but changes nothing of what they hold:
 * copies of so much cost a fifth of drafts.
 */
export function changedNear<S extends object, Part extends keyof S>(
  sealed: S,
  parts: readonly Part[],
  change: (draft: Draft<S>) => void,
): S {
  const copy = { ...sealed };
  for (let i = 0; i < parts.length; i += 1) copy[parts[i]!] = { ...copy[parts[i]!] };
  change(copy as Draft<S>);
  return freezeNew(copy);
}

/** Freeze a value down to what is frozen already: whatever a frozen value holds is. */
function freezeNew<S>(value: S): S {
  if (!isContainer(value) || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key in value) freezeNew(value[key]);
  return value;
}

/** Deep freeze comes with `produce`; this makes the copy it freezes, and the open copy of a restored state. */
export function thaw<S>(value: S): Draft<S> {
  if (!isContainer(value)) return value as Draft<S>;
  if (Array.isArray(value)) return value.map((item: unknown) => thaw(item)) as Draft<S>;
  const copy: Plain = {};
  for (const key of Object.keys(value)) copy[key] = thaw(value[key]);
  return copy as Draft<S>;
}

/** Equal in everything a digest sees. */
export function isSame(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (!isContainer(left) || !isContainer(right) || Array.isArray(left) !== Array.isArray(right)) return false;
  if (Array.isArray(left) && left.length !== (right as unknown as unknown[]).length) return false;
  for (const key of Object.keys(right)) if (!isSame(left[key], right[key])) return false;
  for (const key of Object.keys(left)) if (left[key] !== undefined && right[key] === undefined) return false;
  return true;
}

/** Change `draft` (of `base`) into `open`, touching only what differs. */
function reconcile(draft: Plain, base: Plain, open: Plain): void {
  for (const key of Object.keys(open)) {
    const old = base[key];
    const value = open[key];
    if (isSame(old, value)) continue;
    if (isReconcilable(old, value)) reconcile(draft[key] as Plain, old as Plain, value as Plain);
    else draft[key] = thaw(value);
  }
  for (const key of Object.keys(base)) {
    if (base[key] !== undefined && open[key] === undefined) delete draft[key];
  }
}

function isReconcilable(old: unknown, value: unknown): boolean {
  if (!isContainer(old) || !isContainer(value)) return false;
  if (Array.isArray(old) || Array.isArray(value)) {
    return Array.isArray(old) && Array.isArray(value) && old.length === value.length;
  }
  return true;
}

/** The first place where two plain values differ, as a path; undefined when they do not. */
export function differenceOf(left: unknown, right: unknown, path = ''): string | undefined {
  if (isSame(left, right)) return undefined;
  if (!isContainer(left) || !isContainer(right)) return path;
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  for (const key of keys) {
    const found = differenceOf(left[key], right[key], path === '' ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return path;
}
