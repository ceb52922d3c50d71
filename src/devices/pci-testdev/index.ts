import type { Draft } from '../../base/draft.ts';
import { putAt } from '../../base/places.ts';
import type { DeviceReducer, EventfdWrite } from '../device.ts';
import { configAtReset, type PciBar, type PciFunction, type PciFunctionState, resetConfig } from '../pci/index.ts';
import type { Driver } from '../driver.ts';

/** QEMU's pci-testdev: counts writes to one address per test that no eventfd takes from it. */
export interface PciTestdevState extends PciFunctionState {
  /** Running test, 0-2 in memory and 3-5 in I/O space; -1 none. */
  readonly current: number;
  readonly counts: readonly number[];
  /** How often a thread came with a signal of each test's eventfd: the guest cannot see it. */
  readonly heard: readonly number[];
}

const NAMES = ['no-eventfd', 'wildcard-eventfd', 'datamatch-eventfd'] as const;
const SPACES = ['mmio', 'portio'] as const;
const TESTS = NAMES.length * SPACES.length;
const SIZES = [2048, 128] as const;

const BARS: readonly PciBar[] = [
  { index: 0, region: 0, space: 'memory', size: 4096 },
  { index: 1, region: 1, space: 'io', size: 256 },
];

const noneCounted = (): number[] => new Array<number>(TESTS).fill(0);

/** No test chosen. */
export function pciTestdevAtReset(): PciTestdevState {
  const config = configAtReset({ vendorId: 0x1b36, deviceId: 0x0005, classCode: 0x00_ff_00 }, BARS);
  return { config, current: -1, counts: noneCounted(), heard: noneCounted() };
}

/** Writing a test's number to offset 0 starts it; reads show its header: QEMU docs/specs/pci-testdev.txt. */
export const pciTestdev: PciFunction<PciTestdevState> = {
  model: 'pci-testdev',
  regions: [
    { name: 'pci-testdev-mmio', space: 'memory', length: 4096, minAccess: 1, maxAccess: 1 },
    { name: 'pci-testdev-portio', space: 'io', length: 256, minAccess: 1, maxAccess: 1 },
  ],
  pins: [],
  bars: BARS,
  read: (dev, _region, offset) => (dev.current < 0 ? 0 : (header(dev, dev.current)[offset] ?? 0)),
  eventfds: activeEventfds,
  describe: (dev) => ({
    test: dev.current < 0 ? 'none' : nameOf(dev.current),
    counts: dev.counts.join(' '),
    heard: dev.heard.join(' '),
  }),
};

/** Offset 0 starts a test, the test's own offset counts. */
export const PCI_TESTDEV_REDUCER: DeviceReducer<PciTestdevState> = {
  written(dev, { region, offset, value }) {
    if (offset === 0) start(dev, region, value);
    else count(dev, offset, value);
  },
  notified(dev, test) {
    putAt(dev.heard, test, (dev.heard[test] ?? 0) + 1);
  },
  reset(dev) {
    resetConfig(dev, BARS);
    dev.current = -1;
  },
};

/** The write a running eventfd test wants signalled. In memory, without a value to match, of any width. */
export function activeEventfds({ current }: PciTestdevState): readonly EventfdWrite[] {
  if (current < 0 || current % NAMES.length === 0) return [];
  const match = matches(current) ? MATCH : undefined;
  const region = spaceOf(current);
  const size = region === 0 && match === undefined ? 0 : 1;
  return [{ id: current, region, offset: offsetOf(current), size, match }];
}

const MATCH = 0xfa;
const ANY = 0xce;

const spaceOf = (test: number): number => Math.floor(test / NAMES.length);
const matches = (test: number): boolean => NAMES[test % NAMES.length] !== 'wildcard-eventfd';
const offsetOf = (test: number): number => SIZES[spaceOf(test)]! + test;
const nameOf = (test: number): string => `${SPACES[spaceOf(test)]}-${NAMES[test % NAMES.length]}`;

function start(dev: Draft<PciTestdevState>, region: number, test: number): void {
  dev.current = test < NAMES.length ? region * NAMES.length + test : -1;
  if (dev.current >= 0) dev.counts[dev.current] = 0;
}

function count(dev: Draft<PciTestdevState>, offset: number, value: number): void {
  const { current } = dev;
  if (current < 0 || offset !== offsetOf(current)) return;
  if (!matches(current) || value === MATCH) dev.counts[current]! += 1;
}

/** test, width, padding, offset, data, padding, count, name. */
function header(dev: PciTestdevState, test: number): readonly number[] {
  const name = [...nameOf(test)].map((letter) => letter.charCodeAt(0));
  const data = matches(test) ? MATCH : ANY;
  return [test, 1, 0, 0, ...word(offsetOf(test)), data, 0, 0, 0, ...word(dev.counts[test]!), ...name, 0];
}

const word = (value: number): readonly number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

export const driver: Driver<PciTestdevState, object> = {
  name: 'pci-testdev',
  description: 'PCI Test Device',
  bus: 'PCI',
  category: 'Misc',
  properties: {},
  create: () => pciTestdev,
  atReset: pciTestdevAtReset,
  reducer: PCI_TESTDEV_REDUCER,
};
