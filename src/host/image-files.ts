import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem, shortly } from '../base/problem.ts';
import type { ImageIdentity } from '../replay/trace/header.ts';
import { OWN_GUEST } from '../runs/machine/images.ts';
import type { ImageFiles, ImageRole, ImageSearch } from '../runs/world.ts';
import { readImage } from './files.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

const PURPOSES: Readonly<Record<ImageRole, string>> = {
  kernel: 'read the kernel',
  initrd: 'read the initrd',
  bios: 'read the firmware',
  'option-rom': 'read the option ROM',
};

const onDisk = (path: string): string => (path.startsWith(OWN_GUEST) ? join(ROOT, path.slice(OWN_GUEST.length)) : path);

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Where to look for a recorded image, in order: where somebody says, where it was, beside the trace, in .guests. */
function places({ trace, recorded, given }: ImageSearch): string[] {
  if (given !== undefined) return [given];
  return [onDisk(recorded), join(dirname(trace), basename(recorded)), join(ROOT, '.guests', basename(recorded))];
}

/** Images as files. */
export const IMAGE_FILES: ImageFiles = {
  read: (role, path) => readImage(PURPOSES[role], onDisk(path)),
  find(identity, search) {
    const purpose = PURPOSES[identity.role as ImageRole] ?? `read the ${identity.role}`;
    const candidates = places(search);
    const found = candidates.filter((path) => existsSync(path));
    const read = found.map((path) => ({ path, bytes: readImage(purpose, path, identity.bytes) }));
    const right = read.find(({ bytes }) => sha256(bytes) === identity.sha256);
    if (right === undefined) throw new Problem(missing(identity, found, candidates[0] as string));
    return right;
  },
};

function missing({ role, sha256: digest }: ImageIdentity, found: readonly string[], first: string): string {
  const hint = `Name the right file with --${role}.`;
  if (found.length === 0) return `The ${role} of this trace is not at ${shortly(first)}. ${hint}`;
  const digits = `${digest.slice(0, 16)}...`;
  return `${shortly(found[0] as string)} is not the ${role} this trace was recorded with (sha256 ${digits}). ${hint}`;
}
