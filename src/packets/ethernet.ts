import { joined, layout, u16, u48 } from './layout.ts';

/** EtherTypes. */
export const ETHERTYPES = { IPV4: 0x0800, ARP: 0x0806, VLAN: 0x8100, IPV6: 0x86dd } as const;

/** A frame of Ethernet II without its check sequence. Addresses are numbers of 48 bits. */
export interface EthernetFrame {
  readonly destination: number;
  readonly source: number;
  /** Of `ETHERTYPES`, or below 0x600 the length of an IEEE 802.3 frame. */
  readonly type: number;
  /** All that follows the header, padding included. Not copied. */
  readonly payload: Uint8Array;
}

const HEADER = layout(14, { destination: u48(0), source: u48(6), type: u16(12) });

/** Bytes of its header. */
export const ETHERNET_HEADER = HEADER.length;

/** A frame by its bytes; undefined when they end within the header. */
export function parseEthernet(bytes: Uint8Array): EthernetFrame | undefined {
  const header = HEADER.read(bytes);
  return header === undefined ? undefined : { ...header, payload: bytes.subarray(HEADER.length) };
}

/** Its bytes, without padding. */
export function buildEthernet(frame: EthernetFrame): Uint8Array {
  const bytes = joined(new Uint8Array(HEADER.length), frame.payload);
  HEADER.write(bytes, frame);
  return bytes;
}
