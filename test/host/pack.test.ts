import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../src/api/index.ts';
import { index } from '../../src/cli/index-command.ts';
import { pack, unpack } from '../../src/cli/pack.ts';
import { rerun } from '../../src/cli/replay-commands.ts';
import { fork } from '../../src/cli/fork.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { TAR_END, tarHeader, tarPadding } from '../../src/host/pack/tar.ts';
import { NODE } from '../../src/host/node.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { openStoredCheckpoints } from '../../src/runs/recorded/stored-checkpoints.ts';
import '../../src/testing/vitest.ts';
import { recordRun, traceFolder } from '../debugger/recorded-tour.ts';
import { printed } from '../guests/command-line.ts';
import { tickingGuest } from '../../scripts/endings/ticking-guest.ts';

const folder = traceFolder();
const at = (name: string): string => join(folder, name);
const TRACE = at('made/run.trace');
const PACK = at('elsewhere/run.pack');
/** So large that it is worth compressing. */
const KERNEL = Buffer.concat([tickingGuest(1000), new Uint8Array(50_000)]);

const quiet = (): void => undefined;

beforeAll(async () => {
  for (const name of ['made', 'elsewhere']) mkdirSync(at(name));
  writeFileSync(at('made/kernel'), KERNEL);
  const machine = ['-m', '4', '-nodefaults', '-serial', 'stdio', '-kernel', at('made/kernel')];
  recordRun([...machine, '--ticks', '20000', '--wall-clock', '1700000000', '--trace', TRACE]);
  await index(TRACE, { every: 5000 }, quiet);
  fork(TRACE, { at: '10000', set: ['rbx=5'], trace: at('made/other.trace') }, quiet);
  pack(TRACE, { output: PACK }, quiet);
  // From here on there is nothing but the pack.
  rmSync(at('made/kernel'));
});

describe('a pack', () => {
  test('is read as its trace is, with images and checkpoints out of it', () => {
    expect(PACK).toReplayExactly();
    const checkpoints = openStoredCheckpoints(NODE, PACK, quiet);
    expect(checkpoints?.places.length).toBeGreaterThan(1);
    checkpoints?.close();
    expect(() => expect(TRACE).toReplayExactly()).toThrow('1 of 1 images');
    const opened = openTrace(PACK);
    expect(opened.describe().damage).toBeUndefined();
    opened.close();
    expect(readAll(openTraceFile(PACK))).toEqual(readAll(openTraceFile(TRACE)));
  });

  test('is an archive that tar reads, and the same each time', () => {
    const listed = spawnSync('tar', ['tf', PACK], { encoding: 'utf8' });
    const sha256 = NODE.sha256(KERNEL);
    const names = ['retrovisor-pack.json', 'run.trace', `images/${sha256}.gz`, 'run.trace.ckpt', 'forks/other.trace'];
    expect(listed.stdout.trim().split('\n')).toEqual(names);
    const gunzipped = spawnSync('sh', ['-c', `tar xOf ${PACK} images/${sha256}.gz | gunzip`]);
    expect(gunzipped.stdout.equals(KERNEL)).toBe(true);
    pack(TRACE, { output: at('again.pack'), image: [PACK_KERNEL()] }, quiet);
    expect(readFileSync(at('again.pack')).equals(readFileSync(PACK))).toBe(true);
  });

  test('says what it holds before it is shared', async () => {
    const said = await printed((print) => pack(PACK, { describe: true }, print));
    expect(said).toContain('run.trace.ckpt');
    expect(said).toMatch(/all that the guest printed \([1-9]\d* bytes\) and was typed at it \(0 bytes, passwords$/m);
    expect(said).toContain("all of the guest's memory");
  });

  test('is taken apart into files that replay, and replaces none unasked', async () => {
    unpack(PACK, at('taken'), false, quiet);
    expect(readdirSync(at('taken')).sort()).toEqual(['kernel', 'other.trace', 'run.trace', 'run.trace.ckpt']);
    expect(readFileSync(at('taken/run.trace')).equals(readFileSync(TRACE))).toBe(true);
    expect(at('taken/run.trace')).toReplayExactly();
    expect(at('taken/other.trace')).toReplayExactly();
    expect(() => unpack(PACK, at('taken'), false, quiet)).toThrow('--force replaces');
    writeFileSync(at('outside'), 'mine');
    rmSync(at('taken/kernel'));
    symlinkSync(at('outside'), at('taken/kernel'));
    unpack(PACK, at('taken'), true, quiet);
    expect(readFileSync(at('outside'), 'utf8')).toBe('mine');
    expect(await rerun(at('taken/run.trace'), {}, quiet)).toBe(0);
  });

  test('is not made of a pack, nor over a file that is there', () => {
    expect(() => pack(PACK, {}, quiet)).toThrow('is a pack already');
    expect(() => pack(TRACE, { output: PACK }, quiet)).toThrow('is there already');
    expect(() => unpack(TRACE, at('x'), false, quiet)).toThrow('is no pack');
  });
});

/** The kernel, out of the pack. */
function PACK_KERNEL(): string {
  unpack(PACK, at('kernel-of'), true, quiet);
  return at('kernel-of/kernel');
}

interface Lie {
  readonly member: string;
  readonly holds: string;
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly compression: string;
}

/** A pack of one member with whatever manifest. */
function lying(name: string, change: Partial<Lie>, content: Uint8Array = new Uint8Array(100)): string {
  const honest = {
    member: 'x',
    holds: 'fork',
    name: 'x',
    bytes: content.length,
    sha256: NODE.sha256(content),
    compression: 'none',
  };
  const member = { ...honest, ...change };
  const json = Buffer.from(JSON.stringify({ format: 'retrovisor-pack', version: 1, members: [member] }));
  const file = (of: string, bytes: Uint8Array) => [tarHeader(of, bytes.length), bytes, tarPadding(bytes.length)];
  writeFileSync(at(name), Buffer.concat([...file('retrovisor-pack.json', json), ...file('x', content), TAR_END]));
  return at(name);
}

describe('a pack that lies', () => {
  test.each([
    ['a way out of the folder', { name: '../../x' }, 'damaged'],
    ['an absolute name', { name: '/tmp/x' }, 'damaged'],
    ['a hidden name', { name: '.bashrc' }, 'damaged'],
    ['a name a terminal would obey', { name: 'x\u001b[2J' }, 'damaged'],
    ['a member it does not hold', { member: 'y' }, 'does not hold y'],
    ['another length', { bytes: 101 }, 'does not hold x as it says'],
    ['another content', { sha256: '00'.repeat(32) }, 'is not what its SHA-256 says'],
    ['what only much more could hold', { bytes: 1e9, compression: 'gzip' }, 'does not hold x as it says'],
    ['what is not compressed', { bytes: 100, compression: 'gzip' }, 'is not as long as it says'],
  ])('by %s is refused, and leaves nothing', (_, change, words) => {
    expect(() => unpack(lying('lie.pack', change), at('lies'), false, quiet)).toThrow(words);
    expect(existsSync(at('lies')) ? readdirSync(at('lies')) : []).toEqual([]);
  });

  test('by what inflates to more than it says is not inflated further', () => {
    const bomb = gzipSync(new Uint8Array(1 << 20));
    const path = lying('bomb.pack', { bytes: 1000, compression: 'gzip' }, bomb);
    expect(() => unpack(path, at('lies'), false, quiet)).toThrow('is not as long as it says');
  });

  test('by holding no trace is none to any command', () => {
    expect(() => openTraceFile(lying('empty.pack', {}))).toThrow('holds no trace');
    copyFileSync(PACK, at('cut.pack'));
    writeFileSync(at('cut.pack'), readFileSync(PACK).subarray(0, 3000));
    expect(() => openTraceFile(at('cut.pack'))).toThrow('is damaged');
  });
});
