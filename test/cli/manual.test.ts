import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { commandTable, manualPage, spokenCommands } from '../../src/cli/commands.ts';
import type { SpokenCommand } from '../../src/cli/spoken.ts';
import { answer, scratchFolder } from '../guests/command-line.ts';
import { textOf } from '../house/sources.ts';
import { tool, without } from '../stepping-aside.ts';

let commands: readonly SpokenCommand[];

beforeAll(async () => {
  commands = await spokenCommands(
    commandTable({ print: () => undefined, flush: () => undefined, done: () => undefined }),
  );
});

describe('the manual page', () => {
  test('in man/ is the one made of the table of commands: `npm run manual`', async () => {
    expect(textOf('man/retrovisor.1')).toBe(await manualPage());
  });

  test('names every command, and each of its options, as --help does', async () => {
    const page = textOf('man/retrovisor.1').replaceAll('\\-', '-').replace(/\\f./g, '');
    for (const { name, options } of commands) {
      expect(page).toContain(`.SS ${name}`);
      for (const { names } of options) expect(page).toContain(names.join(', '));
    }
    expect(commands.find(({ name }) => name === 'run')?.options.length).toBeGreaterThan(40);
  });
});

describe('completion', () => {
  const folder = scratchFolder();
  const scriptFor = async (shell: string): Promise<string> => {
    let text = '';
    const table = commandTable({
      print: (line) => {
        text += `${line}\n`;
      },
      flush: () => undefined,
      done: () => undefined,
    });
    await table.parseAsync(['completion', shell], { from: 'user' });
    return text;
  };

  test.each(['bash', 'zsh', 'fish'])('for %s knows every command and option', async (shell) => {
    const script = await scriptFor(shell);
    for (const { name, options } of commands) {
      expect(script).toContain(name);
      for (const each of options.flatMap(({ names }) => names)) {
        expect(script).toContain(shell === 'fish' ? ` ${each.replace(/^--?/, '')} ` : each);
      }
    }
  });

  test('in bash completes commands, options of the command and files', without(tool('bash')), async () => {
    const script = join(folder, 'completion.bash');
    writeFileSync(script, await scriptFor('bash'));
    writeFileSync(join(folder, 'boot.trace'), '');
    const ask = (...words: readonly string[]): string[] => {
      const line = `COMP_WORDS=(retrovisor ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}`;
      const program = `source ${script}; compopt() { :; }; ${line}; _retrovisor; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = spawnSync('bash', ['-c', program], { cwd: folder, encoding: 'utf8' });
      expect(stderr).toBe('');
      return stdout.trim().split('\n');
    };
    expect(ask('repl')).toEqual(['replay']);
    expect(ask('run', '-ke')).toEqual(['-kernel']);
    expect(ask('events', '--li')).toEqual(['--limit']);
    expect(ask('info', 'boot')).toEqual(['boot.trace']);
    expect(ask('completion', 'z')).toEqual(['zsh']);
  });

  test('for a shell nobody knows is refused with those there are', async () => {
    expect(await answer(['completion', 'tcsh'])).toMatchObject({
      status: 2,
      err: "retrovisor: No completion for 'tcsh'. There is one for bash, zsh, fish.\n",
    });
  });
});
