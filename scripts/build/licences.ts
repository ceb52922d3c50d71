/** Licences of what is bundled, as their authors ask for: the text goes where the code goes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** `node_modules/zod` of `node_modules/zod/v4/core/api.js`. */
const packageOf = (input: string): string | undefined => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];

function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => LICENCE_FILE.test(file));
  if (files.length === 0) throw new Error(`${name} has no file with its licence (${license}): it cannot be bundled.`);
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return [`${name} ${version} (${license})`, ...texts].join('\n\n');
}

/** One text for all packages that some of these files are of. */
export function licencesOf(root: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.map(packageOf).filter((folder) => folder !== undefined));
  const licences = [...folders].sort().map((folder) => licenceOf(join(root, folder)));
  return `Parts of these packages are in the files beside this one.\n\n${licences.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
