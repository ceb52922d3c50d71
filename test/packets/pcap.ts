import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** The frames of a little-endian, compressed pcap file. */
export function framesOf(path: string): readonly Uint8Array[] {
  const bytes = new Uint8Array(gunzipSync(readFileSync(path)));
  const view = new DataView(bytes.buffer);
  const frames: Uint8Array[] = [];
  for (let at = 24; at < bytes.length; ) {
    const length = view.getUint32(at + 8, true);
    frames.push(bytes.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return frames;
}

/**
 * What QEMU 7.2's filter-dump saw between Debian's kernel and libslirp (../shared/golden/io/linux), without the bulk of
 * its TCP connection.
 */
export const captured = (nic: 'virtio-net' | 'e1000'): readonly Uint8Array[] =>
  framesOf(`${import.meta.dirname}/captured/${nic}.pcap.gz`);
