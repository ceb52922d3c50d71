import type { Work } from '../../base/work.ts';
import type { SparseBytes } from '../../memory/sparse.ts';
import { differingSectors, sectorDifference, type SectorRange } from './difference.ts';

const RANGES_SHOWN = 40;

const rangeText = ({ sector, count }: SectorRange): string =>
  count === 1 ? `  sector ${sector}` : `  sectors ${sector} to ${sector + count - 1} (${count})`;

/** Which sectors differ between two contents of one drive, and the first of them before and after. */
export function* differenceText(left: SparseBytes, right: SparseBytes): Work<string> {
  const ranges = yield* differingSectors(left, right);
  const [first] = ranges;
  if (first === undefined) return 'No sector differs.';
  const count = ranges.reduce((sum, range) => sum + range.count, 0);
  const more = ranges.length - RANGES_SHOWN;
  return [
    `${count} sector${count === 1 ? '' : 's'} in ${ranges.length} range${ranges.length === 1 ? '' : 's'} differ:`,
    ...ranges.slice(0, RANGES_SHOWN).map(rangeText),
    ...(more > 0 ? [`  and ${more} ranges more`] : []),
    `Sector ${first.sector}, before and after:`,
    ...sectorDifference(left, right, first.sector),
  ].join('\n');
}
