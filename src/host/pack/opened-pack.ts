import { gunzipSync } from 'node:zlib';
import { Problem } from '../../base/problem.ts';
import type { OpenedFile } from '../../runs/world.ts';
import { partOf, readManifest } from '../contained.ts';
import { LONGEST_MANIFEST, MANIFEST, MANIFEST_NAME, type Manifest, type Member } from './manifest.ts';
import { tarEntries, type TarEntry, tarEntryAt } from './tar.ts';

/** A pack whose manifest has been checked. Its file belongs to whoever opened it. */
export interface OpenedPack {
  readonly manifest: Manifest;
  /** A member that is stored as it is, read where it lies. */
  source(member: Member): OpenedFile;
  /** A member's bytes. Throws a Problem when it is not what the manifest says. */
  bytes(member: Member): Uint8Array;
  /** Bytes of a member as it is packed. */
  packedBytes(member: Member): number;
}

/** Deflate makes nothing smaller than by this. */
const MOST_DEFLATED = 1100;

/** Whether a file begins as a pack does. */
export const isPack = (file: OpenedFile): boolean => tarEntryAt(file, 0)?.name === MANIFEST_NAME;

/** Open a pack. Throws a Problem for one whose manifest, or what it says of the archive, cannot be. */
export function openPack(file: OpenedFile): OpenedPack {
  const entries = tarEntries(file);
  const manifest = manifestOf(file, entries[0]);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const entryOf = ({ member, bytes, compression }: Member): TarEntry => {
    const entry = byName.get(member);
    const isRight =
      entry !== undefined && (compression === 'none' ? entry.size === bytes : bytes <= entry.size * MOST_DEFLATED);
    if (isRight) return entry;
    throw new Problem(`The pack ${file.name} is damaged: it does not hold ${member} as it says.`);
  };
  for (const member of manifest.members) entryOf(member);
  const source = (member: Member): OpenedFile => partOf(file, entryOf(member));
  return {
    manifest,
    source,
    packedBytes: (member) => entryOf(member).size,
    bytes(member) {
      const { size } = entryOf(member);
      const stored = source(member).read(0, size);
      if (member.compression === 'none') return stored;
      const bytes = inflated(stored, member.bytes);
      if (bytes?.length === member.bytes) return bytes;
      throw new Problem(`The pack ${file.name} is damaged: ${member.member} is not as long as it says.`);
    },
  };
}

function inflated(stored: Uint8Array, length: number): Uint8Array | undefined {
  try {
    return gunzipSync(stored, { maxOutputLength: Math.max(1, length) });
  } catch {
    return undefined;
  }
}

function manifestOf(file: OpenedFile, entry: TarEntry | undefined): Manifest {
  const { offset, size } = entry ?? { offset: 0, size: 0 };
  return readManifest(MANIFEST, file.read(offset, Math.min(size, LONGEST_MANIFEST)), {
    what: `The pack ${file.name}`,
    isNoJson: `${MANIFEST_NAME} in it is not JSON`,
  });
}

/** The only trace of a pack, and what belongs to it. */
export function memberOf(pack: OpenedPack, holds: Member['holds']): Member | undefined {
  return pack.manifest.members.find((member) => member.holds === holds && member.compression === 'none');
}

/** The trace in a pack. */
export function traceIn(file: OpenedFile): OpenedFile {
  const pack = openPack(file);
  const trace = memberOf(pack, 'trace');
  if (trace === undefined) throw new Problem(`The pack ${file.name} holds no trace.`);
  return pack.source(trace);
}
