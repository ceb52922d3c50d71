import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/problem.ts';
import { worldProblem } from '../files.ts';
import type { Member } from './manifest.ts';
import type { OpenedPack } from './opened-pack.ts';

/** Bytes written at a time. */
const PIECE = 1 << 20;

/** Each member under a name of its own: two images may have had one name. */
function namesIn(folder: string, members: readonly Member[]): Map<Member, string> {
  const names = new Map<Member, string>();
  const taken = new Set<string>();
  for (const member of members) {
    const name = taken.has(member.name) ? `${member.sha256.slice(0, 16)}-${member.name}` : member.name;
    if (taken.has(name)) throw new Problem(`The pack is damaged: two of its files are ${name}.`);
    taken.add(name);
    names.set(member, join(folder, name));
  }
  return names;
}

/**
 * Write what a pack holds into a folder. Nothing that is there is replaced unless that is wanted, and nothing stays
 * that is not what the pack says.
 */
export function unpackInto(pack: OpenedPack, folder: string, isForced: boolean): ReadonlyMap<Member, string> {
  const names = namesIn(folder, pack.manifest.members);
  const there = [...names.values()].filter((path) => existsSync(path));
  if (there.length > 0 && !isForced) {
    throw new Problem(`${there.join(', ')} ${there.length === 1 ? 'is' : 'are'} there already: --force replaces.`);
  }
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw worldProblem('make the folder', folder, error);
  }
  for (const [member, path] of names) writeMember(pack, member, path);
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
    throw new Problem(`${member.member} in the pack is not what its SHA-256 says: it was not unpacked.`);
  } catch (error) {
    rmSync(path, { force: true });
    throw error instanceof Problem ? error : worldProblem('write', path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function* contentOf(pack: OpenedPack, member: Member): Generator<Uint8Array> {
  if (member.compression === 'gzip') {
    yield pack.bytes(member);
    return;
  }
  const source = pack.source(member);
  for (let at = 0; at < source.size; at += PIECE) yield source.read(at, PIECE);
}
