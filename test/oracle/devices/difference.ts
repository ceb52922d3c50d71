/** The first line that differs, with those before it; `apart`: lines that are not compared. */
export function difference(
  theirs: readonly string[],
  ours: readonly string[],
  apart: ReadonlySet<number> = new Set(),
): object | undefined {
  const all = Array.from({ length: Math.max(theirs.length, ours.length) }, (_, at) => at);
  const first = all.find((at) => theirs[at] !== ours[at] && !apart.has(at));
  if (first === undefined) return undefined;
  return { line: first, before: theirs.slice(Math.max(0, first - 4), first), qemu: theirs[first], ours: ours[first] };
}
