// Replays the same traces with two Nodes and compares the digests they come to:
// node scripts/two-nodes.js NODE NODE [TRACE...]. Without traces: the golden ones and a new one of our own guest.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './setup.js';

const bin = join(ROOT, 'bin/retrovisor.js');
const [first, second, ...named] = process.argv.slice(2);

function retrovisor(node, args) {
  return spawnSync(node, [bin, ...args], { cwd: ROOT, encoding: 'utf8', input: '', maxBuffer: 1 << 28 });
}

/** The digest a replay prints, or undefined when it diverged or failed. */
function digestOf(node, trace) {
  const ran = retrovisor(node, ['replay', trace]);
  if (ran.status !== 0) {
    console.error(`${node} replay ${trace}: status ${ran.status}\n${ran.stdout}${ran.stderr}`);
    return undefined;
  }
  return /digest ([0-9a-f]+)/.exec(ran.stdout)?.[1];
}

function goldenTraces() {
  const folder = join(ROOT, 'traces');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.trace'))
    .map((name) => join(folder, name));
}

const scratch = mkdtempSync(join(tmpdir(), 'retrovisor-'));
let failed = 0;
try {
  const fresh = join(scratch, 'own.trace');
  const traces = named.length > 0 ? named : [...goldenTraces(), fresh];
  if (named.length === 0) retrovisor(first, ['run', '--trace', fresh]);
  for (const trace of traces) {
    const digests = [first, second].map((node) => digestOf(node, trace));
    const equal = digests[0] !== undefined && digests[0] === digests[1];
    if (!equal) failed += 1;
    console.log(`${equal ? 'equal' : 'DIFFERENT'}: ${trace}: ${digests.join(' ')}`);
  }
  console.log(`${traces.length - failed} passed, ${failed} failed`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
