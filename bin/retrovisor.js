#!/usr/bin/env node
// Runs the built command line, or in a clone whose build is missing or older than its sources, the sources themselves.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = join(root, 'dist/cli/main.js');
const source = join(root, 'src/cli/main.ts');

/** Whether a TypeScript file below a folder was changed after a moment. */
function hasNewer(folder, moment) {
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return hasNewer(path, moment);
    return entry.isFile() && entry.name.endsWith('.ts') && statSync(path).mtimeMs > moment;
  });
}

async function entryPoint() {
  if (!existsSync(source)) return built;
  if (existsSync(built) && !hasNewer(join(root, 'src'), statSync(built).mtimeMs)) return built;
  try {
    const { register } = await import('tsx/esm/api');
    register();
    return source;
  } catch {
    if (existsSync(built)) return built;
    console.error('retrovisor: its packages are not installed. Run `npm install` in this folder first.');
    process.exit(1);
  }
}

// V8 takes events that wait to be written for objects that live long, and makes all of them among the old, where
// collecting them costs several times as much.
setFlagsFromString('--no-allocation-site-pretenuring');

// What is said about a run is of no use once nobody reads it; the run goes on.
process.stderr.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
});

const { main } = await import(pathToFileURL(await entryPoint()).href);
process.exitCode = await main(process.argv.slice(2));
