import { closeSync, existsSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Problem } from '../base/problem.ts';
import type { FileSink, WholeFile } from '../runs/world.ts';
import { opened, worldProblem } from './files.ts';
import { locked } from './lock.ts';
import { inPieces, keepAs, oldName, pieceName, piecesOf } from './pieces.ts';
import { refuseOtherThanTrace } from './trace-source.ts';

/** Where a file really lies: a lock and a name of old belong beside it. */
function realName(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const folder = dirname(path);
  return existsSync(folder) ? join(realpathSync(folder), basename(path)) : path;
}

const isOrWouldBeFile = (path: string): boolean => !existsSync(path) || statSync(path).isFile();

/**
 * Start a trace, in pieces of so many bytes if they are given. Nobody else may write it meanwhile, and the trace that
 * was there is kept; a file that is no trace stays as it is. What is no file at all, as a terminal, is written to.
 */
export function createTraceFile(path: string, pieceBytes?: number): FileSink {
  refuseOtherThanTrace(path);
  const folder = dirname(path);
  if (!existsSync(folder)) throw new Problem(`Cannot write the trace ${path}: there is no folder ${folder}.`);
  if (!isOrWouldBeFile(path)) return written(path, path, 'write the trace');
  const real = realName(path);
  const release = locked(real);
  try {
    keepOld(real);
    refuseOther(real, pieceBytes);
    const piece = (at: number): FileSink => written(pieceName(real, at), pieceName(path, at), 'write the trace');
    const file = pieceBytes === undefined ? piece(0) : inPieces(piece, pieceBytes);
    return { append: file.append, close: both(file.close, release) };
  } catch (problem) {
    release();
    throw problem;
  }
}

/** What lies where a piece would, or what would be taken for one: a piece whose trace is gone. */
function refuseOther(path: string, pieceBytes: number | undefined): void {
  const piece = pieceName(path, 1);
  if (pieceBytes === undefined ? piecesOf(path).length === 1 : !existsSync(piece)) return;
  throw new Problem(`${piece} is in the way, and no trace here goes on in it: move it, or choose another --trace.`);
}

const both = (act: () => void, then: () => void) => (): void => {
  try {
    act();
  } finally {
    then();
  }
};

/** Keep the trace that is at a name. */
function keepOld(path: string): void {
  if (!existsSync(path) || statSync(path).size === 0) return;
  const old = oldName(path);
  refuseOtherThanTrace(old);
  try {
    keepAs(path, old);
  } catch (error) {
    throw worldProblem('keep the trace before as', old, error);
  }
}

/** A file being written. What goes wrong is said of the name it is to have. */
function written(path: string, named: string, purpose: string): FileSink {
  const file = opened(path, 'w', purpose, named);
  let isClosed = false;
  return {
    append(bytes) {
      let at = 0;
      try {
        while (at < bytes.length) at += writeSync(file, bytes, at);
      } catch (error) {
        throw worldProblem(purpose, named, error);
      }
    },
    close() {
      if (!isClosed) closeSync(file);
      isClosed = true;
    },
  };
}

/** A file that has its name once it is closed. What is no file at all, as a terminal, is written to directly. */
export function createWhole(path: string, what: 'trace' | 'checkpoints' | 'pack' | 'capture'): WholeFile {
  const purpose = `write the ${what}`;
  if (what === 'trace') {
    refuseOtherThanTrace(path);
    if (!isOrWouldBeFile(path)) {
      const file = written(path, path, purpose);
      return { ...file, drop: file.close };
    }
    refuseOtherThanTrace(`${path}.part`);
  }
  const real = realName(path);
  const partial = `${real}.part`;
  const release = locked(real);
  let file: FileSink;
  try {
    file = written(partial, path, purpose);
  } catch (problem) {
    release();
    throw problem;
  }
  const named = (): void => {
    file.close();
    if (what === 'trace') keepOld(real);
    try {
      renameSync(partial, real);
    } catch (error) {
      throw worldProblem(purpose, path, error);
    }
  };
  const dropped = (): void => {
    file.close();
    rmSync(partial, { force: true });
  };
  return { append: file.append, close: both(named, release), drop: both(dropped, release) };
}
