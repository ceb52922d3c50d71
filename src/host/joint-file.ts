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

const LONGEST_MANIFEST = 2 ** 22;
/** Where in a file a machine's bytes lie. */
interface Piece {
  readonly at: number;
  readonly length: number;
}

/** A joint recording, opened. */
export interface JointFile {
  readonly manifest: JointManifest;
  /** A machine's trace, by its place; closing it closes the file. */
  trace(machine: number): OpenedFile;
}

/** The file a path names, and the machine in it: `net.trace:alice`. A file that is there is itself. */
export function withMachine(path: string): { readonly file: string; readonly machine: string | undefined } {
  const colon = path.lastIndexOf(':');
  const isPlain = colon < 0 || !MACHINE_NAME.test(path.slice(colon + 1)) || existsSync(path);
  if (isPlain || !existsSync(path.slice(0, colon))) return { file: path, machine: undefined };
  return { file: path.slice(0, colon), machine: path.slice(colon + 1) };
}

/** Whether a file is a joint recording. */
export const isJointFile = (file: OpenedFile): boolean => isJoint(file.read(0, JOINT_PREAMBLE));

/** Open a joint recording. Throws a Problem for one that does not say who is in it. */
export function openJoint(file: OpenedFile): JointFile {
  const version = jointVersion(file.read(0, JOINT_PREAMBLE));
  if (!isKnownVersion(version)) {
    throw new Problem(`${file.name} is a recording of several machines in format ${version}, of a newer Retrovisor.`);
  }
  const pieces = piecesIn(file);
  const said = pieces.get(0)?.[0];
  const manifest = manifestOf(file, said);
  return { manifest, trace: (machine) => lane(file, manifest.machines[machine]!.name, pieces.get(machine + 1) ?? []) };
}

/** Every piece there is: a recorder that was killed has left the last one short. */
function piecesIn(file: OpenedFile): Map<number, Piece[]> {
  const lanes = new Map<number, Piece[]>();
  for (let at = JOINT_PREAMBLE; at < file.size; ) {
    const header = decodePiece(file.read(at, PIECE_HEADER));
    if (header === undefined) break;
    const { lane: number, length } = header;
    const piece = { at: at + PIECE_HEADER, length: Math.min(length, file.size - at - PIECE_HEADER) };
    const pieces = lanes.get(number);
    if (pieces === undefined) lanes.set(number, [piece]);
    else pieces.push(piece);
    at += PIECE_HEADER + length;
  }
  return lanes;
}

function manifestOf(file: OpenedFile, piece: Piece | undefined): JointManifest {
  const bytes = piece === undefined ? new Uint8Array() : file.read(piece.at, Math.min(piece.length, LONGEST_MANIFEST));
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Problem(`${file.name} is damaged: it does not say which machines are in it.`);
  }
  const parsed = JOINT_MANIFEST.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path = [], message = '' } = parsed.error.issues[0] ?? {};
  throw new Problem(`${file.name} is damaged, or newer: ${shortly(path.join('.'))}: ${shortly(message)}.`);
}

/** A machine's pieces, read as one file. */
function lane(file: OpenedFile, name: string, pieces: readonly Piece[]): OpenedFile {
  const starts: number[] = [];
  let size = 0;
  for (const { length } of pieces) {
    starts.push(size);
    size += length;
  }
  return {
    name: onOneLine(`${file.name}:${name}`),
    size,
    read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let at = 0;
      for (let index = pieceAt(starts, offset); at < bytes.length; index += 1) {
        const piece = pieces[index]!;
        const skipped = offset + at - starts[index]!;
        const got = file.read(piece.at + skipped, Math.min(piece.length - skipped, bytes.length - at));
        bytes.set(got, at);
        at += got.length;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

/** The last piece that begins at an offset or before it. */
function pieceAt(starts: readonly number[], offset: number): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/** The trace of one of a joint recording's machines. Throws a Problem when nobody said which, or there is none. */
export function traceOf(file: OpenedFile, machine: string | undefined): OpenedFile {
  const { manifest, trace } = openJoint(file);
  const names = manifest.machines.map(({ name }) => name);
  const at = machine === undefined ? -1 : names.indexOf(machine);
  if (at >= 0) return trace(at);
  const known = names.map((name) => `${file.name}:${name}`).join(', ');
  throw new Problem(
    machine === undefined
      ? `${file.name} holds ${names.length} machines: say which, as ${known}.`
      : `${file.name} holds no machine ${shortly(machine)}: there are ${known}.`,
  );
}
