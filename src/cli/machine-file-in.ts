import { existsSync } from 'node:fs';

/** The file of `--machine` when that is one: QEMU's option of that name says which machine there is. */
export function machineFileIn(argv: readonly string[]): string | undefined {
  const at = argv.findIndex((token) => /^(--?machine|-M)$/.test(token));
  const value = argv[at + 1];
  if (at < 0 || value === undefined) return undefined;
  return /\.(jsonc?|ya?ml)$/.test(value) || (!/^pc\b/.test(value) && existsSync(value)) ? value : undefined;
}
