import { deflateSync, inflateSync } from 'fflate';
import { Problem } from '../../src/base/problem.ts';
import { instantiate } from '../../src/host/wasm.ts';
import { FILE_MAGIC } from '../../src/replay/trace/chunk.ts';
import type { FileSink, OpenedFile, World } from '../../src/runs/world.ts';

/** A browser's world, as far as runs want one: files are bytes somebody gave or a run wrote. */
export interface PageWorld extends World {
  /** The bytes of a file. */
  bytesOf(path: string): Uint8Array;
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** A page hashes only at leisure, and a run asks at once: everything given is hashed beforehand. */
async function hashed(files: ReadonlyMap<string, Uint8Array>): Promise<ReadonlyMap<Uint8Array, string>> {
  const digests = [...files.values()].map(async (bytes) => {
    const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
    return [bytes, hexOf(new Uint8Array(digest))] as const;
  });
  return new Map(await Promise.all(digests));
}

/** A world of these files. */
export async function pageWorld(version: string, given: ReadonlyMap<string, Uint8Array>): Promise<PageWorld> {
  const digests = await hashed(given);
  const files = new Map(given);
  const bytesOf = (path: string): Uint8Array => {
    const bytes = files.get(path);
    if (bytes === undefined) throw new Problem(`There is no file ${path} here.`);
    return bytes;
  };
  const sha256 = (bytes: Uint8Array): string => {
    const digest = digests.get(bytes);
    if (digest === undefined) throw new Problem('Only what was given to the page has been hashed.');
    return digest;
  };
  const refuseOtherThanTrace = (path: string): void => {
    const there = files.get(path);
    if (there === undefined || FILE_MAGIC.every((byte, at) => there[at] === byte)) return;
    throw new Problem(`${path} is no trace: it is left as it is.`);
  };
  return {
    version,
    bytesOf,
    // Nothing stored is ever trusted by another page.
    programDigest: () => 'page',
    wallClock: () => BigInt(Date.now()) * 1_000_000n,
    aheadOfUtc: (wallClock) => -60 * new Date(Number(wallClock / 1_000_000n)).getTimezoneOffset(),
    milliseconds: () => performance.now(),
    othersTurn,
    later(milliseconds, act) {
      const timer = setTimeout(act, milliseconds);
      return () => clearTimeout(timer);
    },
    atExit: () => () => undefined,
    instantiate,
    inflate: (stored, rawLength) => inflateSync(stored, { out: new Uint8Array(rawLength) }),
    compress: (raw) => deflateSync(raw, { level: 3 }),
    sha256,
    files: {
      open: (path) => sourceOf(path, bytesOf(path)),
      openCheckpoints: () => undefined,
      areSame: (one, other) => one === other,
      refuseOtherThanTrace,
      createTrace(path) {
        refuseOtherThanTrace(path);
        return sinkInto((bytes) => void files.set(path, bytes));
      },
      createWhole: (path) => ({ ...sinkInto((bytes) => void files.set(path, bytes)), drop: () => undefined }),
    },
    images: {
      read: (_role, path) => bytesOf(path),
      list: () => [],
      find({ role, sha256: wanted }) {
        const found = [...given].find(([, bytes]) => sha256(bytes) === wanted);
        return found === undefined ? `the ${role} was not given to the page` : { path: found[0], bytes: found[1] };
      },
      openDisk(path) {
        throw new Problem(`${path} was not given to the page.`);
      },
      findDisk: () => 'a page has no disks',
      commitDisk() {
        throw new Problem('A page has no files to write back into.');
      },
      hint: 'Give them to the page.',
    },
  };
}

const sourceOf = (name: string, bytes: Uint8Array): OpenedFile => ({
  name,
  size: bytes.length,
  read: (offset, length) => bytes.slice(offset, offset + length),
  close: () => undefined,
});

/** Bytes held until the file is closed. */
function sinkInto(done: (bytes: Uint8Array) => void): FileSink {
  const pieces: Uint8Array[] = [];
  return {
    append: (bytes) => void pieces.push(bytes.slice()),
    close() {
      const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const piece of pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      done(whole);
    },
  };
}

/** A timer would be slowed down where nobody looks at the page. */
const othersTurn = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
