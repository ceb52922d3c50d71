/** The manual page, made from the table of commands: `npm run manual`. test/cli/manual.test.ts says when it is old. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manualPage } from '../src/cli/commands.ts';

const FOLDER = join(import.meta.dirname, '../man');

mkdirSync(FOLDER, { recursive: true });
writeFileSync(join(FOLDER, 'retrovisor.1'), await manualPage());
