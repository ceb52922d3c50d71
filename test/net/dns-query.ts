import { joined } from '../../src/packets/layout.ts';
import { bytesOf } from '../oracle/slirp/frames.ts';

/** A query as a resolver of Linux asks it. */
export function query(name: string, type: number, id = 0x4711): Uint8Array {
  const labels = name.split('.').flatMap((label) => [Uint8Array.of(label.length), bytesOf(label)]);
  const header = Uint8Array.of(id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0);
  return joined(header, ...labels, Uint8Array.of(0, type >> 8, type & 0xff, 0, 1));
}
