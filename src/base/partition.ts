/**
 * How many of so many, in an order in which all that are so come first, are so: the index of the first that is not.
 * By halves: `isSo` is asked about few of them.
 */
export function partitionPoint(count: number, isSo: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isSo(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
