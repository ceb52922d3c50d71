import { createHash } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/problem.ts';
import { BLOCK } from '../../block/image-file.ts';
import { worldProblem } from '../files.ts';
import type { Member } from './manifest.ts';
import type { OpenedPack } from './opened-pack.ts';

/** Bytes written at a time. */
const PIECE = 1 << 20;

/** Each member under a name of its own: two images may have had one name. */
function namesIn(folder: string, members: readonly Member[]): Map<Member, string> {
  const names = new Map<Member, string>();
  const taken = new Set<string>();
  const disks = new Map<number, string>();
  for (const member of members) {
    const { disk } = member;
    // Pieces of one disk's image are one file.
    const begun = disk === undefined ? undefined : disks.get(disk.image);
    if (begun !== undefined) {
      names.set(member, begun);
      continue;
    }
    const name = taken.has(member.name) ? `${member.sha256.slice(0, 16)}-${member.name}` : member.name;
    if (taken.has(name)) throw new Problem(`The pack is damaged: two of its files are ${name}.`);
    taken.add(name);
    names.set(member, join(folder, name));
    if (disk !== undefined) disks.set(disk.image, join(folder, name));
  }
  return names;
}

/**
 * Write what a pack holds into a folder. Nothing that is there is replaced unless that is wanted, and nothing stays
 * that is not what the pack says.
 */
export function unpackInto(pack: OpenedPack, folder: string, isForced: boolean): ReadonlyMap<Member, string> {
  const names = namesIn(folder, pack.manifest.members);
  const there = [...new Set(names.values())].filter((path) => existsSync(path));
  if (there.length > 0 && !isForced) {
    throw new Problem(`${there.join(', ')} ${there.length === 1 ? 'is' : 'are'} there already: --force replaces.`);
  }
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw worldProblem('make the folder', folder, error);
  }
  const begun = new Set<string>();
  for (const [member, path] of names) {
    if (member.disk === undefined) writeMember(pack, member, path);
    else writePiece(pack, member, { path, isFirst: !begun.has(path), ...member.disk });
    begun.add(path);
  }
  return names;
}

function writeMember(pack: OpenedPack, member: Member, path: string): void {
  let file: number | undefined;
  try {
    // What is there may be a link to elsewhere: it is taken away, and never followed.
    rmSync(path, { force: true });
    file = openSync(path, 'wx');
    const hash = createHash('sha256');
    for (const bytes of contentOf(pack, member)) {
      hash.update(bytes);
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    }
    if (hash.digest('hex') === member.sha256) return;
    throw spoilt(member);
  } catch (error) {
    rmSync(path, { force: true });
    throw error instanceof Problem ? error : worldProblem('write', path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Where a piece of a disk's image goes. */
interface PiecePlace {
  readonly path: string;
  readonly isFirst: boolean;
  readonly size: number;
  readonly blocks: readonly number[];
}

/** Blocks where they lie in the image: what the run did not read is a hole. */
function writePiece(pack: OpenedPack, member: Member, { path, isFirst, size, blocks }: PiecePlace): void {
  let file: number | undefined;
  try {
    if (isFirst) rmSync(path, { force: true });
    file = openSync(path, isFirst ? 'wx' : 'r+');
    if (isFirst) ftruncateSync(file, size);
    const bytes = pack.bytes(member);
    if (createHash('sha256').update(bytes).digest('hex') !== member.sha256) throw spoilt(member);
    for (const [at, block] of blocks.entries()) {
      const part = bytes.subarray(at * BLOCK, at * BLOCK + Math.min(BLOCK, size - block * BLOCK));
      for (let done = 0; done < part.length; ) {
        done += writeSync(file, part, done, part.length - done, block * BLOCK + done);
      }
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw error instanceof Problem ? error : worldProblem('write', path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

const spoilt = ({ member }: Member): Problem =>
  new Problem(`${member} in the pack is not what its SHA-256 says: it was not unpacked.`);

function* contentOf(pack: OpenedPack, member: Member): Generator<Uint8Array> {
  if (member.compression === 'gzip') {
    yield pack.bytes(member);
    return;
  }
  const source = pack.source(member);
  for (let at = 0; at < source.size; at += PIECE) yield source.read(at, PIECE);
}
