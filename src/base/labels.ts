import { onOneLine } from './printable.ts';

/** What stands before lines that speak of several, of each as wide as of the others: `client | `. */
export function labelsOf(names: readonly string[]): string[] {
  const width = Math.max(...names.map((name) => name.length));
  return names.map((name) => `${onOneLine(name).padEnd(width)} | `);
}
