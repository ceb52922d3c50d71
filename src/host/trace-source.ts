import { closeSync, existsSync, fstatSync, statSync } from 'node:fs';
import { onOneLine } from '../base/printable.ts';
import { Problem } from '../base/problem.ts';
import { FILE_MAGIC } from '../replay/trace/chunk.ts';
import { isJoint } from '../replay/trace/joint.ts';
import { checkpointPath } from '../runs/recorded/stored-checkpoints.ts';
import type { JointManifest } from '../runs/fabric/manifest.ts';
import type { OpenedFile } from '../runs/world.ts';
import { opened, readAt } from './files.ts';
import { isJointFile, jointManifest, traceOf, withMachine } from './joint-file.ts';
import { isPack, memberOf, openPack, traceIn } from './pack/opened-pack.ts';
import { hasEnd, joined, piecesOf } from './pieces.ts';

/** A trace's bytes, of all its pieces. */
export function traceSource(path: string): OpenedFile {
  const { file, machine } = withMachine(path);
  const first = sourceFile(file);
  if (isJointFile(first)) return orClosed(first, () => traceOf(first, machine));
  if (isPack(first)) return orClosed(first, traceIn);
  const names = piecesOf(path);
  if (names.length === 1 || hasEnd(first)) return first;
  first.close();
  const parts = names.map((name) => ({ size: statSync(name).size, open: () => sourceFile(name) }));
  return joined(onOneLine(path), parts);
}

/** Take what is in a file; closed when that cannot be had. */
function orClosed<T>(file: OpenedFile, take: (file: OpenedFile) => T): T {
  try {
    return take(file);
  } catch (problem) {
    file.close();
    throw problem;
  }
}

/** The checkpoints of a trace: beside it, or in its pack. */
export function checkpointsOf(trace: string): OpenedFile | undefined {
  const beside = checkpointPath(trace);
  if (existsSync(beside)) return sourceFile(beside);
  const { file: path, machine } = withMachine(trace);
  if (machine !== undefined) return undefined;
  const file = sourceFile(path);
  const packed = orClosed(file, () => {
    if (!isPack(file)) return undefined;
    const pack = openPack(file);
    const member = memberOf(pack, 'checkpoints');
    return member === undefined ? undefined : pack.source(member);
  });
  if (packed === undefined) file.close();
  return packed;
}

/** A file's bytes, read where they are asked for. */
export function sourceFile(path: string): OpenedFile {
  const file = opened(path, 'r', 'read the trace');
  const stat = fstatSync(file);
  if (!stat.isFile()) {
    closeSync(file);
    throw new Problem(`${path} is not a file: give the trace \`retrovisor run\` wrote.`);
  }
  let isClosed = false;
  return {
    close() {
      if (!isClosed) closeSync(file);
      isClosed = true;
    },
    name: onOneLine(path),
    size: stat.size,
    read(offset, length) {
      if (isClosed) throw new Problem(`${path} was closed: nothing more can be read from it.`);
      return readAt(file, offset, Math.max(0, Math.min(length, stat.size - offset)));
    },
  };
}

/** Throw unless a trace may be written here: over nothing or over a trace. */
export function refuseOtherThanTrace(path: string): void {
  if (!existsSync(path)) return;
  if (!statSync(path).isFile()) {
    if (statSync(path).isDirectory()) throw new Problem(`Cannot write the trace: ${path} is a folder.`);
    return;
  }
  const source = sourceFile(path);
  const start = source.read(0, FILE_MAGIC.length);
  source.close();
  if (source.size > 0 && !FILE_MAGIC.every((byte, at) => start[at] === byte) && !isJoint(start)) {
    throw new Problem(`${path} exists and is not a trace: it is left as it is. Choose another name with --trace.`);
  }
}

/** What a file says of itself that holds several machines; undefined: it holds one, or is no recording. */
export function jointAt(path: string): JointManifest | undefined {
  if (!existsSync(path) || !statSync(path).isFile()) return undefined;
  const file = sourceFile(path);
  try {
    return isJointFile(file) ? jointManifest(file) : undefined;
  } finally {
    file.close();
  }
}

/** A recording of several machines, as a path names it or one of them. */
export interface NamedMachines {
  readonly file: string;
  readonly manifest: JointManifest;
  /** The place of the one that is named; undefined: none is. */
  readonly at: number | undefined;
}

/** The machines a path names: `net.trace`, or one of them, `net.trace:alice`; undefined: it is no such recording. */
export function machinesAt(path: string): NamedMachines | undefined {
  const { file, machine } = withMachine(path);
  const manifest = jointAt(file);
  if (manifest === undefined) return undefined;
  if (machine === undefined) return { file, manifest, at: undefined };
  const at = manifest.machines.findIndex(({ name }) => name === machine);
  // Who opens it says who there is.
  return at < 0 ? undefined : { file, manifest, at };
}
