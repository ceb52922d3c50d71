import { existsSync } from 'node:fs';
import { onOneLine } from '../base/printable.ts';
import { Problem, shortly } from '../base/problem.ts';
import {
  decodePiece,
  isJoint,
  isKnownVersion,
  JOINT_PREAMBLE,
  jointVersion,
  PIECE_HEADER,
} from '../replay/trace/joint.ts';
import { JOINT_MANIFEST, type JointManifest, MACHINE_NAME } from '../runs/fabric/manifest.ts';
import type { OpenedFile } from '../runs/world.ts';
import { partOf, readManifest } from './contained.ts';
import { joined } from './pieces.ts';

const LONGEST_MANIFEST = 2 ** 22;

/** The file a path names, and the machine in it: `net.trace:alice`. A file that is there is itself. */
export function withMachine(path: string): { readonly file: string; readonly machine: string | undefined } {
  const colon = path.lastIndexOf(':');
  const isPlain = colon < 0 || !MACHINE_NAME.test(path.slice(colon + 1)) || existsSync(path);
  if (isPlain || !existsSync(path.slice(0, colon))) return { file: path, machine: undefined };
  return { file: path.slice(0, colon), machine: path.slice(colon + 1) };
}

/** Whether a file is a joint recording. */
export const isJointFile = (file: OpenedFile): boolean => isJoint(file.read(0, JOINT_PREAMBLE));

/** What a joint recording says of itself. Throws a Problem for one that does not say who is in it. */
export function jointManifest(file: OpenedFile): JointManifest {
  const version = jointVersion(file.read(0, JOINT_PREAMBLE));
  if (!isKnownVersion(version)) {
    throw new Problem(`${file.name} is a recording of several machines in format ${version}, of a newer Retrovisor.`);
  }
  const [first] = writtenBy(file, 0);
  return readManifest(JOINT_MANIFEST, first?.read(0, LONGEST_MANIFEST) ?? new Uint8Array(), {
    what: file.name,
    isNoJson: 'it does not say which machines are in it',
  });
}

/** What was written of one of those in a file, piece by piece: a recorder that was killed has left the last short. */
function* writtenBy(file: OpenedFile, wanted: number): Generator<OpenedFile> {
  for (let at = JOINT_PREAMBLE; at < file.size; ) {
    const header = decodePiece(file.read(at, PIECE_HEADER));
    if (header === undefined) return;
    const offset = at + PIECE_HEADER;
    if (header.lane === wanted) yield partOf(file, { offset, size: Math.min(header.length, file.size - offset) });
    at = offset + header.length;
  }
}

/** A machine's pieces, read as one file; closing it closes that they are in. */
function lane(file: OpenedFile, { name, number }: { readonly name: string; readonly number: number }): OpenedFile {
  const pieces = [...writtenBy(file, number)].map((piece) => ({
    size: piece.size,
    open: () => ({ ...piece, close: () => undefined }),
  }));
  return { ...joined(onOneLine(`${file.name}:${name}`), pieces), close: () => file.close() };
}

/** The trace of one of a joint recording's machines. Throws a Problem when nobody said which, or there is none. */
export function traceOf(file: OpenedFile, machine: string | undefined): OpenedFile {
  const names = jointManifest(file).machines.map(({ name }) => name);
  const at = names.indexOf(machine ?? '');
  if (at >= 0) return lane(file, { name: names[at]!, number: at + 1 });
  const known = names.map((name) => `${file.name}:${name}`).join(', ');
  throw new Problem(
    machine === undefined
      ? `${file.name} holds ${names.length} machines: say which, as ${known}.`
      : `${file.name} holds no machine ${shortly(machine)}: there are ${known}.`,
  );
}
