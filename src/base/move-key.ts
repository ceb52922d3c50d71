/** What is known by one key is known by another from now on. */
export function moveKey<V>(map: Map<number, V>, from: number, to: number): void {
  const value = map.get(from);
  map.delete(from);
  if (value !== undefined) map.set(to, value);
}
