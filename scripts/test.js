// `npm test`: everything a fresh clone needs, then types, lint, house rules, unit tests and golden replays.
import { ensureReady, run } from './setup.js';

const PROJECTS = ['house', 'unit', 'golden', 'sim'];
const STAGES = [
  ['types', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit']],
  ['lint', ['node_modules/@biomejs/biome/bin/biome', 'lint', '--error-on-warnings']],
  ['tests', ['node_modules/vitest/vitest.mjs', 'run', ...PROJECTS.flatMap((name) => ['--project', name])]],
];

ensureReady();
const failed = [];
for (const [name, command] of STAGES) {
  const begun = process.hrtime.bigint();
  console.log(`== ${name}`);
  if (run(process.execPath, command) !== 0) failed.push(name);
  console.log(`== ${name}: ${Number((process.hrtime.bigint() - begun) / 100_000_000n) / 10} s`);
}
if (failed.length > 0) console.error(`Failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
