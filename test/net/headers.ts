import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Ns } from '../../src/base/units.ts';

/** A packet of IP, and when it went over the wire, counted from the capture's first. */
interface Frame {
  readonly at: Ns;
  readonly bytes: Uint8Array;
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const ETHERNET = 14;

/** What a capture of Ethernet frames has of IP: bytes that were not kept are zeroes. */
export function framesOf(path: string): readonly Frame[] {
  const file = new Uint8Array(gunzipSync(readFileSync(path)));
  const view = new DataView(file.buffer);
  const timeAt = (at: number): Ns => (view.getUint32(at, true) * 1_000_000 + view.getUint32(at + 4, true)) * 1000;
  const frames: Frame[] = [];
  for (let at = FILE_HEADER; at < file.length; ) {
    const [kept, length] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
    const bytes = new Uint8Array(length - ETHERNET);
    bytes.set(file.subarray(at + RECORD_HEADER + ETHERNET, at + RECORD_HEADER + kept));
    frames.push({ at: timeAt(at) - timeAt(FILE_HEADER), bytes });
    at += RECORD_HEADER + kept;
  }
  return frames;
}
