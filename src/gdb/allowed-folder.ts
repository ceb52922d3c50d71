import { constants, lstatSync, openSync, realpathSync, statSync, writeSync, closeSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { Problem } from '../base/problem.ts';
import { worldProblem } from '../host/files.ts';

/** The path of a file that gdb may write, by the name it gave. Throws a Problem where it may not. */
export type PathFor = (name: string) => string;

/** Whoever reaches the port can send commands: they name no file unless somebody said where. */
export const WRITES_NOTHING: PathFor = () => {
  throw new Problem('gdb may write no file here: --allow-write DIR says where, when the port is opened.');
};

/** Files in one folder and below. A name is taken from there; nothing leads out, neither `..` nor a symbolic link. */
export function writesIn(folder: string | undefined): PathFor {
  if (folder === undefined) return WRITES_NOTHING;
  const root = realFolder(folder);
  return (name) => {
    if (name === '' || /[\0-\x1f\x7f]/.test(name))
      throw new Problem('A file name is missing, or has control characters.');
    const asked = resolve(folder, name);
    const outside = new Problem(`gdb may write in ${folder} only.`);
    const within = realpathOf(dirname(asked));
    if (within === undefined || (within !== root && !within.startsWith(root.endsWith(sep) ? root : root + sep))) {
      throw outside;
    }
    const path = join(within, basename(asked));
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined && !found.isFile()) throw outside;
    return within === root ? join(folder, basename(asked)) : path;
  };
}

function realFolder(folder: string): string {
  try {
    if (statSync(folder).isDirectory()) return realpathSync(folder);
  } catch (error) {
    throw worldProblem('let gdb write in', folder, error);
  }
  throw new Problem(`Cannot let gdb write in ${folder}: it is not a folder.`);
}

function realpathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

const WRITTEN = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/** Write a whole file, never through a symbolic link. */
export function writeAllowed(path: string, bytes: Uint8Array): void {
  try {
    const file = openSync(path, WRITTEN, 0o666);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw worldProblem('write', path, error);
  }
}
