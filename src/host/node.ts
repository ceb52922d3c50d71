import type { World } from '../runs/world.ts';
import { emittedHandlers } from './handlers.ts';
import { IMAGE_FILES, sha256 } from './image-files.ts';
import { HOST_NETWORK } from './network.ts';
import { tierWanted } from './tier.ts';
import { programDigest, VERSION } from './program.ts';
import { compress, inflate, TRACE_FILES } from './trace-file.ts';
import { instantiate } from './wasm.ts';

/** The world of a Node process. */
export const NODE: World = {
  version: VERSION,
  programDigest,
  wallClock: () => BigInt(Date.now()) * 1_000_000n,
  aheadOfUtc: (wallClock) => -60 * new Date(Number(wallClock / 1_000_000n)).getTimezoneOffset(),
  milliseconds: () => performance.now(),
  othersTurn: () => new Promise((resolve) => void setImmediate(resolve)),
  later(milliseconds, act) {
    const timer = setTimeout(act, milliseconds).unref();
    return () => clearTimeout(timer);
  },
  atExit(act) {
    process.once('exit', act);
    return () => void process.off('exit', act);
  },
  instantiate,
  get handlers() {
    return emittedHandlers();
  },
  get tier() {
    return tierWanted();
  },
  inflate,
  compress,
  sha256,
  files: TRACE_FILES,
  images: IMAGE_FILES,
  network: HOST_NETWORK,
};
