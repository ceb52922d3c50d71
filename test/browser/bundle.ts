import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type BuildFailure, type Plugin } from 'esbuild';
import { ROOT } from '../house/sources.ts';

/** iced-x86 comes with Node's glue alone: its WebAssembly is put into the bundle, and a browser has the rest. */
const ICED: Plugin = {
  name: 'iced-x86',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]iced_x86\.js$/ }, async ({ path }) => {
      const glue = await readFile(path, 'utf8');
      const changed = glue
        .replace('const { TextDecoder, TextEncoder } = require(`util`);', '')
        .replace(/const path = require\('path'\).*\nconst bytes = .*;/, "const bytes = require('./iced_x86_bg.wasm');");
      return { contents: changed };
    });
  },
};

/** One file for a browser, or what in it no browser has: `src/x.ts: Could not resolve "node:fs"`. */
export interface Bundle {
  readonly code: Uint8Array;
  readonly problems: readonly string[];
}

/** Bundle what a program text imports; paths in it are relative to the project's folder. */
export async function bundled(contents: string): Promise<Bundle> {
  try {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: ROOT, sourcefile: 'entry.ts', loader: 'ts' },
      bundle: true,
      write: false,
      platform: 'browser',
      format: 'esm',
      target: 'es2022',
      loader: { '.wasm': 'binary' },
      logLevel: 'silent',
      absWorkingDir: ROOT,
      outfile: join(ROOT, 'page.js'),
      plugins: [ICED],
    });
    return { code: outputFiles[0]?.contents ?? new Uint8Array(), problems: [] };
  } catch (error) {
    const { errors = [] } = error as Partial<BuildFailure>;
    if (errors.length === 0) throw error;
    return {
      code: new Uint8Array(),
      problems: errors.map(({ text, location }) => `${location?.file ?? 'esbuild'}: ${text}`),
    };
  }
}
