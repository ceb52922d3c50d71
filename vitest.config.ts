import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Needs a folder somebody built: docs/kvm-unit-tests.md. */
const KUT_TESTS = ['test/guests/kvm-unit-tests.test.ts'];
const GUEST_TESTS = ['test/guests/**/*.test.ts'];
const GOLDEN_TESTS = ['test/golden/**/*.test.ts'];
const HOUSE_TESTS = ['test/house/**/*.test.ts'];
const SIM_TESTS = ['test/sim/**/*.test.ts'];

/** Machines with devices the catalog does not have: modules of their own. */
const CATALOG_TESTS = [
  'test/guests/devices.test.ts',
  'test/oracle/devices/messages.test.ts',
  'test/vmm/message-interrupts.test.ts',
];

const NOT_UNIT_TESTS = [...GUEST_TESTS, ...GOLDEN_TESTS, ...HOUSE_TESTS, ...SIM_TESTS, ...CATALOG_TESTS];

const project = (name: string, include: string[], exclude: string[], testTimeout: number, isolate = false) => ({
  extends: true as const,
  test: {
    name,
    include,
    exclude: ['**/node_modules/**', ...exclude],
    testTimeout,
    hookTimeout: testTimeout,
    pool: 'forks' as const,
    // The product keeps no state in modules, so files share a process, and with it what is compiled there.
    isolate,
  },
});

/** `1`: `npm run test:all`; `2`: what a release is tested by (test/how-long.ts). */
const ALL = process.env['RETROVISOR_ALL'];
const LEFT_OUT: Readonly<Record<string, string[]>> = { 1: ['!longest'], 2: [] };

/** Milliseconds a test may take; what is left to `npm run test:all` takes up to one minute by itself. */
const LIMIT = ALL === undefined ? 60_000 : 600_000;

/** `npm run coverage`: what guests, and what tests of their own, reach of the rooms behind a guest's disks and cards. */
const COVERED = [
  ...['src/devices/virtio*/**/*.ts', 'src/block/**/*.ts', 'src/vmm/drives/**/*.ts'],
  ...['src/devices/e1000/**/*.ts', 'src/devices/rtl8139/**/*.ts'],
];
/** Of each room, in percent. */
const LEAST = { branches: 90 };

export default defineConfig({
  test: {
    coverage: {
      provider: 'v8',
      include: COVERED,
      // What refuses a person's options is nothing that guests reach.
      exclude: ['src/devices/virtio-blk/setup.ts', 'src/devices/virtio-net/setup.ts'],
      reporter: ['text'],
      reportsDirectory: 'node_modules/.coverage',
      thresholds: Object.fromEntries(COVERED.map((room) => [room, LEAST])),
    },
    reporters: ['./test/summary-reporter.ts'],
    tags: [
      { name: 'long', description: 'Left to `npm run test:all`: test/how-long.ts.' },
      { name: 'longest', description: 'Left to what a release is tested by.' },
    ],
    // Tests mostly wait for processes of their own: leave no core to the reporter alone.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    tagsFilter: LEFT_OUT[ALL ?? ''] ?? ['!long'],
    projects: [
      project('house', HOUSE_TESTS, [], LIMIT),
      project('unit', ['test/**/*.test.ts'], NOT_UNIT_TESTS, LIMIT),
      project('catalog', CATALOG_TESTS, [], 60_000, true),
      project('golden', GOLDEN_TESTS, [], 600_000),
      project('sim', SIM_TESTS, [], 600_000),
      project('guests', GUEST_TESTS, [...KUT_TESTS, ...CATALOG_TESTS], 1_800_000),
      project('kut', KUT_TESTS, [], 1_800_000),
    ],
  },
});
