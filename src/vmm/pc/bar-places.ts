/** Where SeaBIOS puts base address registers. SeaBIOS 1.16: src/fw/pciinit.c. */
import { Problem } from '../../base/problem.ts';
import type { PciBar } from '../../devices/pci/index.ts';

const FIRST_PORT = 0xc000;
const END_OF_MEMORY = 0xfec0_0000;
const LEAST_MEMORY = 0x1000;

/** BARs of one kind, which lie together. */
interface Kind {
  readonly bars: readonly PciBar[];
  readonly bytes: number;
  readonly align: number;
}

const bytesOf = ({ space, size }: PciBar): number => (space === 'io' ? size : Math.max(size, LEAST_MEMORY));

/** The largest first; of equals the first. */
function kindOf(bars: readonly PciBar[]): Kind {
  const sorted = [...bars].sort((one, other) => bytesOf(other) - bytesOf(one));
  const bytes = sorted.reduce((sum, bar) => sum + bytesOf(bar), 0);
  return { bars: sorted, bytes, align: sorted[0] === undefined ? 1 : bytesOf(sorted[0]) };
}

/** The places of BARs, given by slot and function. Throws a Problem where they do not fit. */
export function placesOfBars(bars: readonly PciBar[]): ReadonlyMap<PciBar, number> {
  const places = new Map<PciBar, number>();
  const put = ({ bars: some }: Kind, base: number): void => {
    let place = base;
    for (const bar of some) {
      places.set(bar, place);
      place += bytesOf(bar);
    }
  };
  const ports = kindOf(bars.filter(({ space }) => space === 'io'));
  if (FIRST_PORT + ports.bytes > 0x1_0000) throw new Problem('The devices have more I/O ports than there are.');
  put(ports, FIRST_PORT);
  const memory = bars.filter(({ space }) => space === 'memory');
  const plain = kindOf(memory.filter(({ prefetchable }) => prefetchable !== true));
  const prefetchable = kindOf(memory.filter((bar) => bar.prefetchable === true));
  const [low, high] = plain.align < prefetchable.align ? [prefetchable, plain] : [plain, prefetchable];
  const highBase = down(END_OF_MEMORY - high.bytes, high.align);
  put(high, highBase);
  put(low, down(highBase - low.bytes, low.align));
  return places;
}

const down = (place: number, align: number): number => Math.floor(place / align) * align;
