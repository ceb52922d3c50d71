// All set-up of a fresh clone, in plain JavaScript: it runs before any package is installed.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const OLDEST_NODE = [20, 19];

/** Run a program in the project's folder, its output shown. Returns its exit status. */
export function run(program, args, environment = {}) {
  const result = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...environment } });
  if (result.error) {
    console.error(`Cannot run ${program}: ${result.error.message}`);
    return 127;
  }
  return result.status ?? 1;
}

/** Run `npm` itself: the one that started us when there is one. */
function npm(args) {
  const own = process.env.npm_execpath;
  return own?.endsWith('.js') ? run(process.execPath, [own, ...args]) : run('npm', args);
}

/** Whether npm can keep its cache where it would; npm sets the variable for scripts it starts. */
function hasNpmCache() {
  const cache = process.env.npm_config_cache ?? join(homedir(), '.npm');
  try {
    mkdirSync(cache, { recursive: true });
    accessSync(cache, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** `npm ci`, with a cache of its own for this once where home cannot be written. */
function installPackages() {
  const install = ['ci', '--no-audit', '--no-fund'];
  if (hasNpmCache()) return npm(install);
  const cache = mkdtempSync(join(tmpdir(), 'retrovisor-npm-'));
  try {
    return npm([...install, '--cache', cache, '--logs-max', '0']);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

/** Refuse a Node that is too old with one sentence. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  console.error(`Retrovisor needs Node ${OLDEST_NODE.join('.')} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

function isInstalled() {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return Object.entries({ ...dependencies, ...devDependencies }).every(([name, version]) => {
    const manifest = join(ROOT, 'node_modules', name, 'package.json');
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === version;
  });
}

function isBuilt() {
  const built = join(ROOT, 'dist/cli/main.js');
  if (!existsSync(built)) return false;
  const builtAt = statSync(built).mtimeMs;
  return readdirSync(join(ROOT, 'src'), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .every((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs <= builtAt);
}

/** Install the pinned packages and build, whatever of it is still to be done. Ends the process when it cannot. */
export function ensureReady() {
  requireNode();
  if (!isInstalled()) {
    console.log('Installing the pinned packages (npm ci) ...');
    if (installPackages() !== 0) {
      console.error('Installing failed: see npm above. With a network this is `npm ci`; it needs the npm registry.');
      process.exit(1);
    }
  }
  ensureBuilt();
}

/** Build, unless what is built is newer than all its sources. Ends the process when it cannot. */
export function ensureBuilt() {
  if (isBuilt()) return;
  console.log('Building ...');
  if (run(process.execPath, ['node_modules/tsx/dist/cli.mjs', 'scripts/build.ts']) !== 0) {
    console.error('The build failed: see above.');
    process.exit(1);
  }
}
