/** A place where two streams part and meet again: elements skipped on either side. */
export interface Gap {
  readonly reference: number;
  readonly referenceLength: number;
  readonly ours: number;
  readonly oursLength: number;
}

/** How two streams lie beside each other. `lost`: after the last gap they never met again. */
export interface Alignment {
  readonly equal: number;
  readonly gaps: readonly Gap[];
  readonly lost: boolean;
}

/** Elements that must agree before two streams count as having met again, unless the caller says otherwise. */
const ANCHOR = 12;
const FIRST_WINDOW = 1 << 10;

/** Says which gap is here, for whoever knows better than the shortest one. */
export type KnownGap = (i: number, j: number) => Gap | undefined;

/** Lay `ours` beside `reference`: equal runs, and between them the shortest gaps that end in an equal run. */
export function align(
  reference: Int32Array,
  ours: Int32Array,
  longestGap: number,
  known: KnownGap = () => undefined,
  anchor = ANCHOR,
): Alignment {
  const gaps: Gap[] = [];
  let [i, j, equal] = [0, 0, 0];
  for (;;) {
    const limit = Math.min(reference.length - i, ours.length - j);
    let run = 0;
    while (run < limit && reference[i + run] === ours[j + run]) run++;
    [i, j, equal] = [i + run, j + run, equal + run];
    if (i >= reference.length || j >= ours.length) return { equal, gaps, lost: false };
    const gap = known(i, j) ?? nextMeeting(reference, i, ours, j, longestGap, anchor);
    if (gap === undefined) {
      const rest = { reference: i, referenceLength: reference.length - i, ours: j, oursLength: ours.length - j };
      return { equal, gaps: [...gaps, rest], lost: true };
    }
    gaps.push(gap);
    i += gap.referenceLength;
    j += gap.oursLength;
  }
}

function nextMeeting(
  reference: Int32Array,
  i: number,
  ours: Int32Array,
  j: number,
  longest: number,
  anchor: number,
): Gap | undefined {
  for (let window = FIRST_WINDOW; ; window *= 8) {
    const size = Math.min(window, longest);
    const gap = shortestGap(reference, i, ours, j, size, anchor);
    if (gap !== undefined) return gap;
    if (size === longest) return undefined;
  }
}

/** The pair of skips with the smallest sum after which `ANCHOR` elements agree. */
function shortestGap(
  reference: Int32Array,
  i: number,
  ours: Int32Array,
  j: number,
  window: number,
  anchor: number,
): Gap | undefined {
  const places = new Map<number, number[]>();
  const oursEnd = Math.min(ours.length - anchor, j + window);
  for (let b = j; b <= oursEnd; b++) {
    const key = anchorKey(ours, b, anchor);
    const list = places.get(key);
    if (list === undefined) places.set(key, [b]);
    else if (list.length < 4) list.push(b);
  }
  let best: Gap | undefined;
  let bestSum = Infinity;
  const referenceEnd = Math.min(reference.length - anchor, i + window);
  for (let a = i; a <= referenceEnd && a - i < bestSum; a++) {
    for (const b of places.get(anchorKey(reference, a, anchor)) ?? []) {
      const sum = a - i + b - j;
      if (sum >= bestSum || !agrees(reference, a, ours, b, anchor)) continue;
      best = { reference: i, referenceLength: a - i, ours: j, oursLength: b - j };
      bestSum = sum;
    }
  }
  return best;
}

function anchorKey(stream: Int32Array, at: number, anchor: number): number {
  let key = 0;
  for (let k = 0; k < anchor; k++) key = (Math.imul(key, 31) + stream[at + k]!) | 0;
  return key;
}

/** Whether the streams have met again here. */
export function agrees(reference: Int32Array, a: number, ours: Int32Array, b: number, anchor = ANCHOR): boolean {
  for (let k = 0; k < anchor; k++) if (reference[a + k] !== ours[b + k]) return false;
  return true;
}

/** Gives equal texts equal numbers. */
export class Interned {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [];

  id(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    this.#ids.set(text, this.#texts.length);
    this.#texts.push(text);
    return this.#texts.length - 1;
  }

  text(id: number): string {
    return this.#texts[id]!;
  }
}
