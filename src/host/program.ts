import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's version. */
export const { version: VERSION } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { readonly version: string };

/** Folders whose code cannot be seen in a checkpoint. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['debugger']);

/** Put into a bundle, which no longer has its code in folders. */
declare const BUILT_OF: string | undefined;

let known: string | undefined = typeof BUILT_OF === 'string' ? BUILT_OF : undefined;

/** A digest of the code of this program: what another build made may have another shape. */
export function programDigest(): string {
  known ??= digestOfCode();
  return known;
}

function digestOfCode(): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const hash = createHash('sha256');
  const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (WITHOUT_EFFECT.has(name)) continue;
    const files = readdirSync(join(root, name), { recursive: true }) as string[];
    for (const file of files.filter((path) => /(?<!\.d)\.[jt]s$/.test(path)).sort()) {
      hash.update(file).update(readFileSync(join(root, name, file)));
    }
  }
  return hash.digest('hex');
}
