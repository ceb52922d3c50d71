import { importsOf, PRODUCT, type SourceFile } from './sources.ts';

/** What each file of the product imports of the product; imports of types count. */
export const importGraph = (files: readonly SourceFile[]): ReadonlyMap<string, readonly string[]> =>
  new Map(files.map((file) => [file.path, importsOf(file).filter((target) => target.startsWith('src/'))]));

/** The product's. */
export const IMPORTS = importGraph(PRODUCT);

/** Sets of files each of which leads to every other: strongly connected components (Tarjan) of more than one file. */
export function circlesIn(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): number => {
    const number = order.size;
    let low = number;
    order.set(file, number);
    open.push(file);
    for (const target of graph.get(file) ?? []) {
      if (!order.has(target)) low = Math.min(low, visit(target));
      else if (open.includes(target)) low = Math.min(low, order.get(target) ?? low);
    }
    lowest.set(file, low);
    if (low !== number) return low;
    const circle = open.splice(open.indexOf(file));
    if (circle.length > 1 || graph.get(file)?.includes(file) === true) circles.push(circle.sort());
    return low;
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return circles;
}
