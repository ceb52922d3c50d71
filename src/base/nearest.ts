/** Most names offered for one that is unknown. */
const OFFERED = 3;

/** How many characters have to be changed, put in, taken out or swapped to make one text of another, up to a bound. */
function distance(left: string, right: string, most: number): number {
  if (Math.abs(left.length - right.length) > most) return most + 1;
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const changed = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1, isSwap ? before[j - 2]! + 1 : changed));
    }
    before = row;
    row = next;
  }
  return row[right.length]!;
}

/** The names somebody may have meant, nearest first: spelled alike, or that hold what was typed. */
export function nearest(typed: string, names: Iterable<string>): string[] {
  const word = typed.toLowerCase();
  const most = Math.max(1, Math.floor(word.length / 3));
  const found: { readonly name: string; readonly far: number }[] = [];
  for (const name of new Set(names)) {
    const far = distance(word, name.toLowerCase(), most);
    if (far <= most) found.push({ name, far });
    else if (word.length > 2 && name.toLowerCase().includes(word)) found.push({ name, far: most + 1 });
  }
  found.sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1));
  return found.slice(0, OFFERED).map(({ name }) => name);
}

/** How a sentence about an unknown name ends: `: did you mean x or y?`, or `.` when no name is near. */
export function orNearest(typed: string, names: Iterable<string>): string {
  const found = nearest(typed, names);
  const last = found.pop();
  if (last === undefined) return '.';
  return `: did you mean ${found.length === 0 ? last : `${found.join(', ')} or ${last}`}?`;
}
