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

const replayed = (node, trace) => ({ node, trace, ...retrovisor(node, ['replay', trace]) });

/** The digest a replay printed, or undefined when it diverged or failed. */
function digestOf({ node, trace, status, stdout, stderr }) {
  if (status !== 0) {
    console.error(`${node} replay ${trace}: status ${status}\n${stdout}${stderr}`);
    return undefined;
  }
  return /digest ([0-9a-f]+)/.exec(stdout)?.[1];
}

/** Debian's kernel moves on: a golden trace of another one than is here is left out, and a new one takes its place. */
const isOfAnotherImage = ({ stderr }) => /is not the .* this trace was recorded with/.test(stderr);

const KERNEL = ['-kernel', '.guests/vmlinuz', '-initrd', '.guests/initramfs.gz', '-append', 'console=ttyS0 panic=-1'];
const LINUX = [...KERNEL, '-m', '256', '-nodefaults', '-serial', 'stdio', '--ticks', '300000000'];

const DISK = ['-drive', 'file=guests/tour/disk.img,format=raw,if=virtio'];

const FIRMWARE = ['-bios', '.guests/bios-256k.bin', '-drive', 'file=.guests/debian.raw,format=raw,if=virtio'];
/** Until it has mounted its root, and a while longer. */
const DEBIAN = [...FIRMWARE, '-m', '512', '-nodefaults', '-serial', 'stdio', '--ticks', '4000000000'];

const isHere = (guest) => existsSync(join(ROOT, '.guests', guest));

/** New traces: our own guest's, with its disk, and, where they are, of Debian's kernel and of a whole Debian. */
function freshTraces(folder) {
  const runs = [
    ['own', DISK],
    ...(isHere('vmlinuz') ? [['linux', LINUX]] : []),
    ...(isHere('debian.raw') ? [['debian', DEBIAN]] : []),
  ];
  return runs.map(([name, options]) => {
    const trace = join(folder, `${name}.trace`);
    retrovisor(first, ['run', ...options, '--trace', trace]);
    return trace;
  });
}

function goldenTraces() {
  const folder = join(ROOT, 'traces');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.trace'))
    .map((name) => join(folder, name));
}

const scratch = mkdtempSync(join(tmpdir(), 'retrovisor-'));
let passed = 0;
let failed = 0;
try {
  const traces = named.length > 0 ? named : [...goldenTraces(), ...freshTraces(scratch)];
  for (const trace of traces) {
    const ran = replayed(first, trace);
    if (named.length === 0 && isOfAnotherImage(ran)) {
      console.log(`left out: ${trace}: ${ran.stderr.trim()}`);
      continue;
    }
    const digests = [digestOf(ran), digestOf(replayed(second, trace))];
    const equal = digests[0] !== undefined && digests[0] === digests[1];
    if (equal) passed += 1;
    else failed += 1;
    console.log(`${equal ? 'equal' : 'DIFFERENT'}: ${trace}: ${digests.join(' ')}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
