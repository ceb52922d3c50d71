/** Files of captured packets as libpcap writes them (draft-ietf-opsawg-pcap), with times in microseconds. */
import { ETHERNET, PCAP_MAGIC } from './capture-format.ts';

const VERSION = [2, 4] as const;

/** The beginning of a file whose packets are kept up to so many bytes. */
export function pcapHead(most: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, PCAP_MAGIC.microseconds, true);
  view.setUint16(4, VERSION[0], true);
  view.setUint16(6, VERSION[1], true);
  view.setUint32(16, most, true);
  view.setUint32(20, ETHERNET, true);
  return bytes;
}

/** One packet. ns: since 1970 (UTC). Of a longer one the first bytes are kept, and how long it was. */
export function pcapRecord(ns: bigint, packet: Uint8Array, most: number): Uint8Array {
  const kept = packet.subarray(0, most);
  const bytes = new Uint8Array(16 + kept.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Number(BigInt.asUintN(32, ns / 1_000_000_000n)), true);
  view.setUint32(4, Number((ns % 1_000_000_000n) / 1000n), true);
  view.setUint32(8, kept.length, true);
  view.setUint32(12, packet.length, true);
  bytes.set(kept, 16);
  return bytes;
}
