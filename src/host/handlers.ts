import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Put into a bundle: the digest of what was emitted for it. Sources that run as they are emit their own. */
declare const HANDLERS_SHA256: string | undefined;

/** Beside the folders of the bundle. */
const PLACE = new URL('../handlers.wasm', import.meta.url);

let read: { readonly bytes: Uint8Array | undefined } | undefined;

/** The engine's handlers as they were emitted when this program was built; undefined: that is not to be had. */
export function emittedHandlers(): Uint8Array | undefined {
  read ??= { bytes: typeof HANDLERS_SHA256 === 'string' ? handlersIn(PLACE, HANDLERS_SHA256) : undefined };
  return read.bytes;
}

/** A file's bytes, if they are those that have this digest. */
export function handlersIn(file: URL, sha256: string): Uint8Array | undefined {
  try {
    const bytes = readFileSync(file);
    return createHash('sha256').update(bytes).digest('hex') === sha256 ? bytes : undefined;
  } catch {
    // Another build is replacing this one, or somebody removed it: what it holds can be emitted.
    return undefined;
  }
}
