import type { Reporter, TestModule } from 'vitest/node';

type Counts = { passed: number; failed: number; skipped: number; failedModules: number };

/** Ends every run with one line to count by; with RETROVISOR_NO_SKIP=1 a skipped test fails the run. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts: Counts = { passed: 0, failed: 0, skipped: 0, failedModules: 0 };
    const skippedNames: string[] = [];
    for (const module of modules) count(module, counts, skippedNames);
    const forbidden = process.env['RETROVISOR_NO_SKIP'] === '1' && counts.skipped > 0;
    if (forbidden) {
      console.log(`RETROVISOR_NO_SKIP=1 forbids skipping, yet skipped:\n  ${skippedNames.join('\n  ')}`);
      process.exitCode = 1;
    }
    const failed = counts.failed + counts.failedModules + (forbidden ? counts.skipped : 0);
    const skipped = forbidden ? '' : `, ${counts.skipped} skipped`;
    console.log(`${counts.passed} passed, ${failed} failed${skipped}`);
  }
}

function count(module: TestModule, counts: Counts, skippedNames: string[]): void {
  let tests = 0;
  for (const test of module.children.allTests()) {
    tests += 1;
    const { state } = test.result();
    if (state === 'passed') counts.passed += 1;
    else if (state === 'failed') counts.failed += 1;
    else {
      counts.skipped += 1;
      skippedNames.push(`${module.relativeModuleId}: ${test.fullName}`);
    }
  }
  if (tests === 0 && !module.ok()) counts.failedModules += 1;
}
