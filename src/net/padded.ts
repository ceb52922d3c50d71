import type { Effects } from '../devices/device.ts';
import { joined } from '../packets/layout.ts';

/** ETH_ZLEN: bytes of the shortest frame of a wire. */
const SHORTEST = 60;

/** A frame as it goes to the other end of a wire: as long as that wants it. QEMU's eth_pad_short_frame. */
export function padded(bytes: Uint8Array, { peer }: Pick<Effects, 'peer'>): Uint8Array {
  const lacks = SHORTEST - bytes.length;
  return lacks <= 0 || peer?.takesShort === true ? bytes : joined(bytes, new Uint8Array(lacks));
}
