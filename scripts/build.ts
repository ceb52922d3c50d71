/**
 * `npm run build`: types, then the command line and the package's doors bundled into dist/, in chunks that both share.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildHandlers } from '../src/engine/meanings/handlers.ts';
import { programDigest } from '../src/host/program.ts';
import { licencesOf } from './build/licences.ts';
import { required } from './build/required.ts';

const ROOT = join(import.meta.dirname, '..');
const MADE = join(ROOT, 'dist.part');
const DOORS = ['src/cli/main.ts', 'src/api/index.ts', 'src/testing/vitest.ts'];

/** Packages of many files, of which a tenth is used. They are installed besides, for the types in our declarations. */
const BUNDLED = ['zod', '@noble/ciphers', '@noble/curves', 'rxjs'];

/** Packages that whoever installs this one gets beside it: a program has them once, whoever asks for them. */
function beside(): string[] {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => !BUNDLED.includes(name));
}

/** Declarations of what the doors give, each beside where its source was. */
function declare(): boolean {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const to = ['--outDir', MADE, '--emitDeclarationOnly'];
  const args = [compiler, '-p', join(ROOT, 'tsconfig.build.json'), ...to];
  return spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }).status === 0;
}

/** What every start of a guest would emit anew. Returns its digest, by which src/host/handlers.ts knows it. */
function writeHandlers(): string {
  const bytes = buildHandlers();
  writeFileSync(join(MADE, 'handlers.wasm'), bytes);
  return createHash('sha256').update(bytes).digest('hex');
}

async function bundle(): Promise<void> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: DOORS,
    outbase: 'src',
    outdir: MADE,
    // As deep as the doors: what lies beside dist/ is found from both.
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: beside(),
    alias: { rxjs: join(ROOT, 'node_modules/rxjs/dist/esm/index.js') },
    plugins: [required],
    sourcemap: true,
    define: {
      BUILT_OF: JSON.stringify(programDigest()),
      HANDLERS_SHA256: JSON.stringify(writeHandlers()),
    },
    metafile: true,
    logLevel: 'warning',
  });
  writeFileSync(join(MADE, 'THIRD-PARTY-LICENSES'), licencesOf(ROOT, Object.keys(metafile.inputs)));
}

/** Replace what was built before. A command that runs meanwhile has loaded what it needs of it. */
function replace(): void {
  const old = join(ROOT, 'dist.old');
  rmSync(old, { recursive: true, force: true });
  try {
    renameSync(join(ROOT, 'dist'), old);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  renameSync(MADE, join(ROOT, 'dist'));
  rmSync(old, { recursive: true, force: true });
}

rmSync(MADE, { recursive: true, force: true });
if (declare()) {
  await bundle();
  replace();
} else process.exitCode = 1;
