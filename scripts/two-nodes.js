// Replays the same traces with two Nodes and compares the digests they come to:
// node scripts/two-nodes.js NODE NODE [TRACE...]. Without traces: the golden ones and new ones.
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

/** Debian's kernel moves on: a golden trace of another one than is here is left out, and a new one takes its place. */
function hasItsImages(trace) {
  const { stderr } = retrovisor(first, ['replay', trace]);
  const isOther = /is not the .* this trace was recorded with/.test(stderr);
  if (isOther) console.log(`left out: ${trace}: ${stderr.trim()}`);
  return !isOther;
}

const KERNEL = ['-kernel', '.guests/vmlinuz', '-initrd', '.guests/initramfs.gz', '-append', 'console=ttyS0 panic=-1'];
const LINUX = [...KERNEL, '-m', '256', '-nodefaults', '-serial', 'stdio', '--ticks', '300000000'];

/** New traces: our own guest's and, where it is, of Debian's kernel. */
function freshTraces(folder) {
  const own = join(folder, 'own.trace');
  retrovisor(first, ['run', '--trace', own]);
  if (!existsSync(join(ROOT, '.guests/vmlinuz'))) return [own];
  const linux = join(folder, 'linux.trace');
  retrovisor(first, ['run', ...LINUX, '--trace', linux]);
  return [own, linux];
}

function goldenTraces() {
  const folder = join(ROOT, 'traces');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.trace'))
    .map((name) => join(folder, name))
    .filter(hasItsImages);
}

const scratch = mkdtempSync(join(tmpdir(), 'retrovisor-'));
let failed = 0;
try {
  const traces = named.length > 0 ? named : [...goldenTraces(), ...freshTraces(scratch)];
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
