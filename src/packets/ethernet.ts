import { numberAt, putNumber } from './layout.ts';

/** EtherTypes. */
export const ETHERTYPES = { IPV4: 0x0800, ARP: 0x0806, RARP: 0x8035, VLAN: 0x8100, IPV6: 0x86dd } as const;

/** A frame of Ethernet II without its check sequence. Addresses are numbers of 48 bits. */
export interface EthernetFrame {
  readonly destination: number;
  readonly source: number;
  /** Of `ETHERTYPES`, or below 0x600 the length of an IEEE 802.3 frame. */
  readonly type: number;
  /** All that follows the header, padding included. Not copied. */
  readonly payload: Uint8Array;
}

/** Where its fields begin. */
const AT = { DESTINATION: 0, SOURCE: 6, TYPE: 12 } as const;

/** Bytes of its header. */
export const ETHERNET_HEADER = 14;

/** A frame by its bytes; undefined when they end within the header. */
export function parseEthernet(bytes: Uint8Array): EthernetFrame | undefined {
  if (bytes.length < ETHERNET_HEADER) return undefined;
  return {
    destination: numberAt(bytes, AT.DESTINATION, 6),
    source: numberAt(bytes, AT.SOURCE, 6),
    type: numberAt(bytes, AT.TYPE, 2),
    payload: bytes.subarray(ETHERNET_HEADER),
  };
}

/** Its bytes, without padding. */
export function buildEthernet({ destination, source, type, payload }: EthernetFrame): Uint8Array {
  const bytes = new Uint8Array(ETHERNET_HEADER + payload.length);
  putNumber(bytes, AT.DESTINATION, 6, destination);
  putNumber(bytes, AT.SOURCE, 6, source);
  putNumber(bytes, AT.TYPE, 2, type);
  bytes.set(payload, ETHERNET_HEADER);
  return bytes;
}
