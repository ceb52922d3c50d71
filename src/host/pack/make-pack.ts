import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Problem } from '../../base/problem.ts';
import type { BlockDigest } from '../../block/read-blocks.ts';
import { type DiskSearch, recordedDisks } from '../../runs/machine/disks.ts';
import { recordedImages, type ImagePaths, type Images } from '../../runs/machine/images.ts';
import { readDescription } from '../../runs/machine/machine-description.ts';
import type { TraceFile } from '../../runs/recorded/trace-file.ts';
import { checkpointPath } from '../../runs/recorded/stored-checkpoints.ts';
import type { FileSink, OpenedFile } from '../../runs/world.ts';
import { IMAGE_FILES, sha256 } from '../image-files.ts';
import { openTraceFile, TRACE_FILES } from '../trace-file.ts';
import { piecesOfDisk } from './disk-pieces.ts';
import { MANIFEST_NAME, type Manifest, type Member, nameInPack } from './manifest.ts';
import { TAR_END, tarHeader, tarPadding } from './tar.ts';

/** A member and where its packed bytes come from. */
export interface Packed {
  readonly member: Member;
  readonly size: number;
  /** Hand on the packed bytes, a piece at a time. */
  each(take: (bytes: Uint8Array) => void): void;
}

/** Bytes read at a time. */
const PIECE = 1 << 20;

/** Files of a folder in which forks are looked for. */
const MOST_FILES = 10_000;

function* piecesOf(file: OpenedFile): Generator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE) yield file.read(at, PIECE);
}

/** A file that is packed as it is: what is large in it is deflated already. */
function asItIs(path: string, what: Pick<Member, 'member' | 'holds' | 'name'>): Packed {
  const hash = createHash('sha256');
  const each = (take: (bytes: Uint8Array) => void): void => {
    const file = TRACE_FILES.open(path);
    try {
      for (const bytes of piecesOf(file)) take(bytes);
    } finally {
      file.close();
    }
  };
  let size = 0;
  each((bytes) => {
    size += bytes.length;
    hash.update(bytes);
  });
  return { member: { ...what, bytes: size, sha256: hash.digest('hex'), compression: 'none' }, size, each };
}

function packedImages(images: Images): Packed[] {
  const packed = new Map<string, Packed>();
  for (const { name, bytes } of images.values()) {
    const digest = sha256(bytes);
    const deflated = gzipSync(bytes);
    const isSmaller = deflated.length < bytes.length;
    const stored = isSmaller ? deflated : bytes;
    const member = `images/${digest}${isSmaller ? '.gz' : ''}`;
    const compression = isSmaller ? 'gzip' : 'none';
    packed.set(digest, {
      member: { member, holds: 'image', name: nameInPack(name), bytes: bytes.length, sha256: digest, compression },
      size: stored.length,
      each: (take) => take(stored),
    });
  }
  return [...packed.values()];
}

/** The image blocks that a run and its forks read. */
function blocksOf(trace: TraceFile, forks: readonly string[]): BlockDigest[] {
  const blocks = [...trace.blocks()];
  for (const path of forks) {
    const fork = openTraceFile(path);
    try {
      blocks.push(...fork.blocks());
    } finally {
      fork.close();
    }
  }
  return blocks;
}

function packedDisks(search: DiskSearch): Packed[] {
  const { files, blocks } = recordedDisks({ images: IMAGE_FILES, sha256 }, search);
  return search.drives.flatMap(({ name }, image) => {
    const read = blocks.list.filter(({ file }) => file === image).map(({ block }) => block);
    return [...piecesOfDisk(image, name, files[image]!, read)].map(({ member, stored }) => ({
      member,
      size: stored.length,
      each: (take: (bytes: Uint8Array) => void) => take(stored),
    }));
  });
}

/** Traces beside a trace that say they are its forks, of the same machine and images. */
function forksOf(path: string, { header }: TraceFile): string[] {
  const folder = dirname(path);
  const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
  return readdirSync(folder)
    .sort()
    .slice(0, MOST_FILES)
    .map((name) => join(folder, name))
    .filter((name) => {
      const fork = resolve(name) === resolve(path) ? undefined : opened(name);
      if (fork === undefined) return false;
      const { parent, machine, images, seed } = fork.header;
      fork.close();
      const isChild = parent !== undefined && nameInPack(parent.trace) === nameInPack(path);
      return isChild && seed === header.seed && isSame(machine, header.machine) && isSame(images, header.images);
    });
}

/** What is no trace is passed by. */
function opened(path: string): TraceFile | undefined {
  if (/\.(lock|part|ckpt|pack)$/.test(path) || !statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  try {
    return openTraceFile(path);
  } catch (problem) {
    if (problem instanceof Problem) return undefined;
    throw problem;
  }
}

/** What a pack of a trace holds: the trace, its images, and what lies beside it and belongs to it. */
export function membersFor(path: string, given: ImagePaths): Packed[] {
  const trace = openTraceFile(path, { acceptCut: true });
  try {
    const { paths, drives = [] } = readDescription(trace.header.machine, path);
    const images = recordedImages({ images: IMAGE_FILES, sha256 }, path, trace.header.images, paths, given);
    const forks = forksOf(path, trace);
    const search = { trace: path, drives, paths, blocks: blocksOf(trace, forks), among: given.image ?? [] };
    const name = nameInPack(path);
    const checkpoints = checkpointPath(path);
    return [
      asItIs(path, { member: name, holds: 'trace', name }),
      ...packedImages(images),
      ...packedDisks(search),
      ...(existsSync(checkpoints)
        ? [asItIs(checkpoints, { member: checkpointPath(name), holds: 'checkpoints', name: checkpointPath(name) })]
        : []),
      ...forks.map((fork) => {
        const forkName = nameInPack(fork);
        return asItIs(fork, { member: `forks/${forkName}`, holds: 'fork', name: forkName });
      }),
    ];
  } finally {
    trace.close();
  }
}

/** Write a pack: a tar archive whose first file says what the others are. */
export function writePack(members: readonly Packed[], sink: Pick<FileSink, 'append'>): void {
  const manifest: Manifest = { format: 'retrovisor-pack', version: 1, members: members.map(({ member }) => member) };
  const json = new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`);
  const first = {
    member: { member: MANIFEST_NAME },
    size: json.length,
    each: (take: typeof sink.append) => take(json),
  };
  for (const { member, size, each } of [first, ...members]) {
    sink.append(tarHeader(member.member, size));
    let written = 0;
    each((bytes) => {
      written += bytes.length;
      sink.append(bytes);
    });
    if (written !== size) throw new Problem(`${member.member} changed while it was packed: try again.`);
    sink.append(tarPadding(size));
  }
  sink.append(TAR_END);
}
