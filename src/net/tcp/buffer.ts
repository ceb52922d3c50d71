/** What a host has to say and the guest has not acknowledged: a list of pieces, from `unacknowledged` on. */
import type { Draft } from '../../base/draft.ts';
import type { Connection, Piece } from './connection.ts';

/** Short texts are joined, so that there are few pieces. */
const SHORT = 4096;

/** So many pieces at most: whoever answers waits while there are more. */
export const MOST_PIECES = 64;

const lengthOf = (piece: Piece): number => (piece.of === 'text' ? piece.text.length : piece.length);

/** Bytes that lie in the state itself. */
export const textQueued = ({ pieces }: Pick<Connection, 'pieces'>): number =>
  pieces.reduce((sum, piece) => sum + (piece.of === 'text' ? piece.text.length : 0), 0);

/** Put something behind what is to be sent. */
export function enqueue(connection: Draft<Connection>, piece: Piece): void {
  const length = lengthOf(piece);
  if (!(length > 0)) return;
  const { pieces } = connection;
  const last = pieces.at(-1);
  const isFull = pieces.length >= MOST_PIECES;
  if (piece.of === 'text' && last?.of === 'text' && (isFull || last.text.length + length <= SHORT)) {
    last.text += piece.text;
  } else if (isFull) {
    return;
  } else {
    pieces.push({ ...piece });
  }
  connection.queued += length;
}

/** `piece` without its first bytes, which are fewer than it has. */
const without = (piece: Piece, bytes: number): Piece =>
  piece.of === 'text'
    ? { of: 'text', text: piece.text.slice(bytes) }
    : { ...piece, offset: piece.offset + bytes, length: piece.length - bytes };

/** The guest has so many more bytes. */
export function dequeue(connection: Draft<Connection>, bytes: number): void {
  connection.queued -= bytes;
  let left = bytes;
  while (left > 0) {
    const piece = connection.pieces[0];
    if (piece === undefined) return;
    const length = lengthOf(piece);
    if (length > left) connection.pieces[0] = without(piece, left);
    else connection.pieces.shift();
    left -= length;
  }
}

/** What was not sent yet is not going to be: only so many bytes stay. */
export function keepFirst(connection: Draft<Connection>, bytes: number): void {
  let left = Math.max(bytes, 0);
  connection.queued = Math.min(connection.queued, left);
  for (const [at, piece] of connection.pieces.entries()) {
    const length = lengthOf(piece);
    if (length > left)
      connection.pieces[at] =
        piece.of === 'text' ? { of: 'text', text: piece.text.slice(0, left) } : { ...piece, length: left };
    left -= Math.min(length, left);
  }
}

/** Where the bytes of files come from. */
export type FileBytes = (file: string, offset: number, length: number) => Uint8Array;

/** RFC 864: lines of 72 characters, each beginning one character later. */
const LINE = 74;
const FIRST_PRINTABLE = 0x20;
const PRINTABLE = 95;

export function characterAt(offset: number): number {
  const column = offset % LINE;
  if (column >= LINE - 2) return column === LINE - 2 ? 13 : 10;
  return FIRST_PRINTABLE + ((Math.floor(offset / LINE) + column) % PRINTABLE);
}

function bytesOf(piece: Piece, offset: number, length: number, files: FileBytes): Uint8Array {
  switch (piece.of) {
    case 'text':
      return Uint8Array.from({ length }, (_, at) => piece.text.charCodeAt(offset + at));
    case 'file':
      return files(piece.file, piece.offset + offset, length);
    default:
      return Uint8Array.from({ length }, (_, at) => characterAt(piece.offset + offset + at));
  }
}

/** Bytes of what is to be sent, from an offset on: as many as are asked for, which there are. */
export function queuedBytes(pieces: readonly Piece[], offset: number, length: number, files: FileBytes): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && offset + length <= lengthOf(first)) return bytesOf(first, offset, length, files);
  const bytes = new Uint8Array(length);
  let start = 0;
  let done = 0;
  for (const piece of pieces) {
    const end = start + lengthOf(piece);
    const from = offset + done;
    if (from < end && done < length) {
      const count = Math.min(end - from, length - done);
      bytes.set(bytesOf(piece, from - start, count, files), done);
      done += count;
    }
    start = end;
  }
  return bytes;
}
