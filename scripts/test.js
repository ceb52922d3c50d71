// `npm test`: everything a fresh clone needs, then types, lint and layout, house rules, unit tests and golden replays.
// `npm run test:all` leaves out none of the long ones.
import { spawnSync } from 'node:child_process';
import { ensureReady, ROOT } from './setup.js';

const PROJECTS = ['house', 'unit', 'catalog', 'golden', 'sim'];
// The usual loader writes beside the packages, and the folder may belong to somebody else.
const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--configLoader', 'runner'];
const STAGES = [
  ['types', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit']],
  // Lint and `format:check` in one reading of the files.
  ['lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings']],
  ['tests', [...VITEST, ...PROJECTS.flatMap((name) => ['--project', name])]],
];
/** Where test/summary-reporter.ts writes what the tests came to. */
const OUTCOME_FD = 3;

const environment = {
  ...process.env,
  RETROVISOR_OUTCOME_FD: `${OUTCOME_FD}`,
  ...(process.argv.includes('--all') ? { RETROVISOR_ALL: '1' } : {}),
  ...(process.stdout.isTTY || process.env.FORCE_COLOR !== undefined ? {} : { NO_COLOR: '1' }),
};

/** Run one stage with its output shown; what it wrote to OUTCOME_FD, if anything. */
function runStage(command) {
  const stdio = ['inherit', 'inherit', 'inherit', 'pipe'];
  const { status, output } = spawnSync(process.execPath, command, { cwd: ROOT, stdio, env: environment });
  const written = output?.[OUTCOME_FD]?.toString() ?? '';
  return { status, outcome: written === '' ? undefined : JSON.parse(written) };
}

const seconds = (begun) => `${(Number(process.hrtime.bigint() - begun) / 1e9).toFixed(1)} s`;

ensureReady();
const begun = process.hrtime.bigint();
const total = { passed: 0, failed: 0, aside: 0, notes: [] };
const timings = [];
for (const [at, [name, command]] of STAGES.entries()) {
  const stageBegun = process.hrtime.bigint();
  console.log(`== ${at + 1}/${STAGES.length} ${name}`);
  const { status, outcome } = runStage(command);
  total.passed += outcome?.passed ?? 0;
  total.aside += outcome?.aside ?? 0;
  // A stage that fails and has no test to blame counts as one.
  total.failed += outcome?.failed || (status === 0 ? 0 : 1);
  total.notes.push(...(outcome?.notes ?? []));
  timings.push(`${name} ${seconds(stageBegun)}${status === 0 ? '' : ' FAILED'}`);
  console.log(`== ${at + 1}/${STAGES.length} ${timings.at(-1)}`);
}
console.log(`\n${timings.join(', ')}; ${seconds(begun)} in all`);
for (const note of total.notes) console.log(note);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.aside} stepped aside`);
process.exitCode = total.failed > 0 ? 1 : 0;
