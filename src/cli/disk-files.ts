/** Files of an ext4 that differ between two contents of a drive: as `debugfs` of e2fsprogs finds them. */
import { SECTOR } from '../base/units.ts';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finish } from '../base/work.ts';
import { ShownImage } from '../host/disk-image.ts';
import type { SparseBytes } from '../memory/sparse.ts';
import { differingSectors } from '../replay/disk/difference.ts';
import { ext4On, type FoundExt4 } from '../replay/disk/ext4.ts';

const SHOWN = 200;
const MOST_OUTPUT = 1 << 28;
const ROOT = 2;

/** What differs, a line a file; or that nobody can tell. Nothing of a drive without such a file system. */
export function filesText(left: SparseBytes, right: SparseBytes): string[] {
  const found = ext4On(right);
  if (found.length === 0) return [];
  if (spawnSync('debugfs', ['-V']).status !== 0) {
    return ['Which files of its ext4 differ is told where there is debugfs (Debian: apt-get install e2fsprogs).'];
  }
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-disk-'));
  try {
    const images = [left, right].map((content, at) => imageOf(join(folder, `${at}.raw`), content));
    return found.flatMap((each) => differencesOf(each, { left, right, images, folder }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function imageOf(path: string, content: SparseBytes): string {
  new ShownImage(path).show(content);
  return path;
}

interface Sides {
  readonly left: SparseBytes;
  readonly right: SparseBytes;
  readonly images: readonly string[];
  readonly folder: string;
}

function differencesOf(found: FoundExt4, { left, right, images, folder }: Sides): string[] {
  const blocks = blocksApart(found, left, right);
  const sides = images.map((image) => treeOf(`${image}?offset=${found.offset}`, folder, blocks));
  const [before, after] = sides as [Tree, Tree];
  const names = [...new Set([...before.files.keys(), ...after.files.keys()])].sort();
  const lines = names.flatMap((name) => lineOf(name, before, after));
  const head = `Files of the ext4 at byte ${found.offset}, as a mount would find them:`;
  if (lines.length === 0) return [`${head} none differs.`];
  const more = lines.length - SHOWN;
  return [head, ...lines.slice(0, SHOWN), ...(more > 0 ? [`  and ${more} more`] : [])];
}

function lineOf(name: string, before: Tree, after: Tree): string[] {
  const [old, now] = [before.files.get(name), after.files.get(name)];
  if (old === undefined) return [`  + ${name}${sizeText(now!)}`];
  if (now === undefined) return [`  - ${name}${sizeText(old)}`];
  const what = (['mode', 'owner', 'size'] as const)
    .filter((field) => old[field] !== now[field])
    .map((field) => `${field} ${old[field]} -> ${now[field]}`);
  const isOther = before.touched.has(old.inode) || after.touched.has(now.inode) || old.inode !== now.inode;
  if (isOther && now.isFile) what.push('content');
  return what.length === 0 ? [] : [`  ~ ${name}: ${what.join(', ')}`];
}

const sizeText = ({ isFile, size }: Entry): string => (isFile ? ` (${size} bytes)` : '');

function blocksApart({ offset, blockSize }: FoundExt4, left: SparseBytes, right: SparseBytes): number[] {
  const blocks = new Set<number>();
  for (const { sector, count } of finish(differingSectors(left, right))) {
    for (let at = sector; at < sector + count; at += 1) {
      const block = Math.floor((at * SECTOR - offset) / blockSize);
      if (block >= 0) blocks.add(block);
    }
  }
  return [...blocks];
}

interface Entry {
  readonly inode: string;
  readonly mode: string;
  readonly owner: string;
  readonly size: string;
  readonly isFile: boolean;
}

interface Tree {
  /** By path. */
  readonly files: ReadonlyMap<string, Entry>;
  /** Inodes to which blocks that differ belong. */
  readonly touched: ReadonlySet<string>;
}

const AT_ONCE = 128;

function treeOf(image: string, folder: string, blocks: readonly number[]): Tree {
  // What its journal has is put where it belongs, as a mount would: this is a copy.
  spawnSync('e2fsck', ['-y', '-E', 'journal_only', image], { stdio: 'ignore' });
  const groups = Array.from(
    { length: Math.ceil(blocks.length / AT_ONCE) },
    (_, at) => `icheck ${blocks.slice(at * AT_ONCE, (at + 1) * AT_ONCE).join(' ')}`,
  );
  const touched = asked(image, folder, groups).flatMap((line) => /^\d+\t(\d+)$/.exec(line)?.[1] ?? []);
  return { files: filesIn(image, folder), touched: new Set(touched) };
}

/** What `debugfs` answers to some commands, line by line. */
function asked(image: string, folder: string, commands: readonly string[]): string[] {
  if (commands.length === 0) return [];
  const script = join(folder, 'commands');
  writeFileSync(script, `${commands.join('\n')}\n`);
  const { stdout } = spawnSync('debugfs', ['-f', script, image], { encoding: 'utf8', maxBuffer: MOST_OUTPUT });
  return stdout.split('\n');
}

/** `/INODE/MODE/OWNER/GROUP/NAME/SIZE/`: of a folder there is no size. */
const LISTED = /^\/(\d+)\/(\d+)\/(\d+)\/(\d+)\/(.+)\/(\d*)\/$/;
const ECHOED = /^debugfs: ls -p <(\d+)>$/;

/** All files by their paths, a level of folders at a time. */
function filesIn(image: string, folder: string): Map<string, Entry> {
  const files = new Map<string, Entry>();
  const seen = new Set<string>();
  let level = new Map([[String(ROOT), '']]);
  while (level.size > 0) {
    const next = new Map<string, string>();
    let parent = '';
    for (const line of asked(
      image,
      folder,
      [...level.keys()].map((inode) => `ls -p <${inode}>`),
    )) {
      parent = level.get(ECHOED.exec(line)?.[1] ?? '') ?? parent;
      const [, inode, mode, user, group, name, size = ''] = LISTED.exec(line) ?? [];
      if (inode === undefined || name === '.' || name === '..') continue;
      const path = `${parent}/${name}`;
      const isFolder = mode!.startsWith('04');
      files.set(path, { inode, mode: mode!, owner: `${user}:${group}`, size, isFile: size !== '' });
      if (isFolder && !seen.has(inode)) next.set(inode, path);
      seen.add(inode);
    }
    level = next;
  }
  return files;
}
