/**
 * The whole of docs/guide.md as a newcomer types it, in order. What a block is, its fence says: `sh` is typed at a
 * shell, with lines after `/ # ` at the guest it starts; `sh until="TEXT"` is ended by Ctrl-C once TEXT is there;
 * `console` has commands after `$ ` and what they print, numbers aside; `rewind TRACE` is typed at the debugger's
 * prompt; `ts` is a program; `text` is nothing to type.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, textOf } from '../house/sources.ts';
import { noteAside, tool, without } from '../stepping-aside.ts';
import { noGuests, scratchFolder } from './command-line.ts';

interface Block {
  readonly line: number;
  /** What the fence says: `sh until="x"`. */
  readonly info: string;
  readonly text: string;
}

const blocksOf = (page: string): Block[] =>
  [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: info = '', 2: text = '' }) => ({
    line: page.slice(0, index).split('\n').length,
    info: info.trim(),
    text,
  }));

interface Came {
  readonly status: number | null;
  readonly out: string;
}

/** A clone's folder, as somebody has it who has just installed. */
function clone(): string {
  const folder = scratchFolder();
  for (const name of ['.guests', 'docs', 'guests']) symlinkSync(join(ROOT, name), join(folder, name));
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
  symlinkSync(ROOT, join(folder, 'node_modules/retrovisor'));
  symlinkSync(join(ROOT, 'node_modules/tsx'), join(folder, 'node_modules/tsx'));
  symlinkSync(join(ROOT, 'bin/retrovisor.js'), join(folder, 'node_modules/.bin/retrovisor'));
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  return folder;
}

/** Let a shell do what is typed at it; `until`: Ctrl-C when that is on the terminal. */
function typed(folder: string, command: string, { input = '', until = '' } = {}): Promise<Came> {
  const child = spawn('bash', ['-o', 'pipefail', '-c', command], { cwd: folder, detached: true });
  let out = '';
  let isAsked = until === '';
  const hear = (bytes: Buffer): void => {
    out += bytes.toString('latin1');
    if (isAsked || !out.includes(until)) return;
    isAsked = true;
    process.kill(-(child.pid as number), 'SIGINT');
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.stdin.on('error', () => undefined);
  if (until === '') child.stdin.end(input);
  // The shell, too, hears Ctrl-C.
  return new Promise((resolve) =>
    child.on('close', (status, signal) => resolve({ status: signal === 'SIGINT' ? 130 : status, out })),
  );
}

/** Commands of a block, with what is typed at the guest each one starts. */
function commandsOf(text: string): { readonly command: string; readonly input: string }[] {
  const lines = text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const commands: { command: string; input: string }[] = [];
  for (const line of lines) {
    const last = commands.at(-1);
    if (!line.startsWith('/ # ')) commands.push({ command: line, input: '' });
    else if (last !== undefined) last.input += `${line.slice('/ # '.length)}\n`;
  }
  return commands;
}

/** Numbers and digests come out otherwise on another day. */
const shapeOf = (text: string): string =>
  text
    .trim()
    .replace(/\b[0-9a-f]{16,}\b/g, 'DIGEST')
    .replace(/\d+/g, 'N');

async function shell(folder: string, { info, text }: Block): Promise<void> {
  const [, until] = /until="([^"]*)"/.exec(info) ?? [];
  for (const { command, input } of commandsOf(text)) {
    // Fetched before the tests; from a network that tests do without.
    if (/^npm run guests\b/.test(command)) expect(existsSync(join(folder, '.guests/vmlinuz'))).toBe(true);
    else if (/\| jq /.test(command) && tool('jq') !== undefined)
      noteAside(tool('jq') as NonNullable<ReturnType<typeof tool>>);
    else {
      const { status, out } = await typed(folder, command, { input, ...(until === undefined ? {} : { until }) });
      expect(`${command}\n${out.slice(-2000)}\nstatus ${status}`).toContain(`status ${until === undefined ? 0 : 130}`);
    }
  }
}

async function shown(folder: string, { text }: Block): Promise<void> {
  const digests = new Set<string>();
  for (const part of text.split(/^\$ /m).slice(1)) {
    const [command = '', ...lines] = part.split('\n');
    const { status, out } = await typed(folder, command);
    expect([command, status, shapeOf(out)]).toEqual([command, 0, shapeOf(lines.join('\n'))]);
    for (const [digest] of out.matchAll(/\b[0-9a-f]{32}\b/g)) digests.add(digest);
  }
  expect(digests.size).toBeLessThanOrEqual(1);
}

async function rewind(folder: string, { info, text }: Block): Promise<void> {
  const lines = text.split('\n').filter((line) => line.startsWith('(rewind) '));
  const asked = lines.map((line) => line.slice('(rewind) '.length).split(/ {2,}/)[0] as string);
  const said = asked.map((line) => `--ex '${line}'`).join(' ');
  const { status, out } = await typed(folder, `npx retrovisor debug ${info.split(' ')[1]} ${said} --batch`);
  expect(`${out.slice(-3000)}\nstatus ${status}`).toContain('status 0');
  expect(out).not.toMatch(/^(Unknown|There is no command)/m);
}

async function program(folder: string, { text, line }: Block): Promise<void> {
  writeFileSync(join(folder, `line-${line}.ts`), text);
  const { status, out } = await typed(folder, `'${process.execPath}' --import tsx line-${line}.ts`);
  expect(`${out.slice(-2000)}\nstatus ${status}`).toContain('status 0');
}

const KINDS: Readonly<Record<string, (folder: string, block: Block) => Promise<void>>> = {
  sh: shell,
  console: shown,
  rewind,
  ts: program,
  text: () => Promise.resolve(),
};

describe('docs/guide.md', () => {
  const blocks = blocksOf(textOf('docs/guide.md'));
  const kindOf = ({ info }: Block): string => info.split(' ')[0] as string;

  test('says of each block what it is', () => {
    const others = blocks.filter((block) => !(kindOf(block) in KINDS));
    expect(others.map(({ line, info }) => `docs/guide.md:${line}: \`\`\`${info}`)).toEqual([]);
    expect(blocks.length).toBeGreaterThan(5);
  });

  describe('typed as it stands', without(noGuests('vmlinuz', 'initramfs.gz', 'bios-256k.bin')), () => {
    const folder = clone();

    test.each(blocks)('line $line: $info', async (block) => {
      await KINDS[kindOf(block)]?.(folder, block);
    });
  });
});
