import { writeSync } from 'node:fs';
import {
  DefaultReporter,
  type SerializedError,
  type TestCase,
  type TestModule,
  type TestRunEndReason,
  type TestSpecification,
  type TestSuite,
} from 'vitest/node';
import type { Aside } from './stepping-aside.ts';

interface Outcome {
  passed: number;
  failed: number;
  /** Tests that stepped aside. */
  aside: number;
  /** Tests that were not asked for (`-t`) or gave no reason. */
  skipped: number;
  /** Long ones, which only `npm run test:all` runs. */
  left: number;
  /** What stepped aside, whole or in part, and in how many tests. */
  readonly reasons: Reason[];
  /** Sentences about what may not be so. */
  readonly problems: string[];
}

interface Reason extends Pick<Aside, 'what' | 'why'> {
  tests: number;
}

/**
 * Vitest's own report with the number of each file, and at the end what stepped aside and one line to count by.
 * With RETROVISOR_NO_SKIP=1 everything that can be installed is promised: a test that is skipped for want of it failed.
 */
export default class SummaryReporter extends DefaultReporter {
  #ended = 0;
  #files = 0;

  override onTestRunStart(specifications: readonly TestSpecification[]): void {
    this.#files = specifications.length;
    super.onTestRunStart(specifications);
  }

  override onTestModuleEnd(module: TestModule): void {
    this.#ended += 1;
    super.onTestModuleEnd(module);
  }

  protected override getEntityPrefix(entity: TestCase | TestModule | TestSuite): string {
    const prefix = super.getEntityPrefix(entity);
    if (entity.type !== 'module') return prefix;
    return `[${String(this.#ended).padStart(String(this.#files).length)}/${this.#files}] ${prefix}`;
  }

  override onTestRunEnd(
    modules: readonly TestModule[],
    errors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    super.onTestRunEnd(modules, errors, reason);
    const counts = { passed: 0, failed: errors.length, aside: 0, skipped: 0, left: 0 };
    const outcome: Outcome = { ...counts, reasons: [], problems: [] };
    for (const module of modules) countModule(module, outcome);
    if (outcome.problems.length > 0) process.exitCode = 1;
    const { passed, failed, aside } = outcome;
    const notes = notesOf(outcome);
    // scripts/test.js says it after its other stages.
    const pipe = process.env['RETROVISOR_OUTCOME_FD'];
    if (pipe !== undefined) writeSync(Number(pipe), JSON.stringify({ passed, failed, aside, notes }));
    else console.log([...notes, `${passed} passed, ${failed} failed, ${aside} stepped aside`].join('\n'));
  }
}

function countModule(module: TestModule, outcome: Outcome): void {
  const tests = [...module.children.allTests()];
  for (const test of tests) countTest(test, outcome);
  if (tests.length === 0 && !module.ok()) outcome.failed += 1;
}

function countTest(test: TestCase, outcome: Outcome): void {
  const asides = test.meta().asides ?? [];
  const { state } = test.result();
  for (const aside of asides) addReason(outcome.reasons, aside);
  if (state === 'passed') outcome.passed += 1;
  else if (state === 'failed') outcome.failed += 1;
  else if (asides.length > 0) outcome.aside += 1;
  else if (test.tags.includes('long')) outcome.left += 1;
  else outcome.skipped += 1;
  const unnamed = state === 'skipped' && asides.length === 0 && !test.tags.includes('long');
  if (process.env['RETROVISOR_NO_SKIP'] !== '1' || !(unnamed || asides.some(({ kind }) => kind === 'tool'))) return;
  const why = asides.map(({ what, why }) => `${what}: ${why}`).join(' ');
  outcome.problems.push(`${test.module.relativeModuleId}: ${test.fullName}: ${unnamed ? 'skipped' : why}`);
  if (state !== 'failed') outcome.failed += 1;
  if (state === 'passed') outcome.passed -= 1;
  else if (unnamed) outcome.skipped -= 1;
  else outcome.aside -= 1;
}

function addReason(reasons: Reason[], { what, why }: Aside): void {
  const known = reasons.find((reason) => reason.what === what && reason.why === why);
  if (known === undefined) reasons.push({ what, why, tests: 1 });
  else known.tests += 1;
}

function notesOf({ skipped, left, reasons, problems }: Outcome): string[] {
  return [
    ...(problems.length === 0 ? [] : ['RETROVISOR_NO_SKIP=1 forbids to step aside for want of a tool:']),
    ...problems.map((problem) => `  ${problem}`),
    ...(reasons.length === 0 ? [] : ['Stepped aside, whole or in part:']),
    ...reasons.map(({ what, why, tests }) => `  ${what} (${tests} test${tests === 1 ? '' : 's'}): ${why}`),
    ...(skipped === 0 ? [] : [`${skipped} tests were skipped without a reason.`]),
    ...(left === 0 ? [] : [`${left} long tests are left to npm run test:all.`]),
  ];
}
