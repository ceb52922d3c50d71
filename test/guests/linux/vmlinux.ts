import { execFileSync } from 'node:child_process';

/** What a Debian bzImage decompresses: payload_offset and payload_length of boot protocol 2.08, its length last. */
export function vmlinux(bzImage: Uint8Array): Uint8Array {
  const view = new DataView(bzImage.buffer, bzImage.byteOffset, bzImage.byteLength);
  const start = (view.getUint8(0x1f1) + 1) * 512 + view.getUint32(0x248, true);
  const input = bzImage.subarray(start, start + view.getUint32(0x24c, true) - 4);
  return execFileSync('lz4', ['-dc'], { input, maxBuffer: 1 << 28 });
}
