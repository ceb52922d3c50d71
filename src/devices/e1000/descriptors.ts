/** Descriptors as they lie in memory. Intel's manual, 3.2.3 and 3.3.3 to 3.3.7. */

/** A descriptor of the transmit ring: its four words. */
export interface TransmitDescriptor {
  readonly low: number;
  readonly high: number;
  readonly lower: number;
  readonly upper: number;
}

/** TDESC.CMD and DTYP, as bits of the third word. */
export const TX = {
  ...{ endOfPacket: 0x0100_0000, segment: 0x0400_0000, report: 0x0800_0000, reportSent: 0x1000_0000 },
  ...{ extended: 0x2000_0000, tagged: 0x4000_0000, delayed: 0x8000_0000, data: 0x10_0000 },
} as const;

/** TUCMD of a context descriptor. */
const CONTEXT = { tcp: 0x0100_0000, ipv4: 0x0200_0000 } as const;

/** POPTS of a data descriptor: which checksums. */
export const SUM = { ip: 0x1, transport: 0x2 } as const;

/** TDESC.STA: done, and what there was on a wire. */
const STATUS = { done: 0x1, collisions: 0xe } as const;

/** Where headers and checksums are, and how a packet is cut. 3.3.6. */
export interface Context {
  readonly ipStart: number;
  readonly ipSum: number;
  readonly ipEnd: number;
  readonly transportStart: number;
  readonly transportSum: number;
  readonly transportEnd: number;
  readonly payload: number;
  readonly header: number;
  readonly segment: number;
  readonly isIpv4: boolean;
  readonly isTcp: boolean;
}

export const NO_CONTEXT: Context = {
  ...{ ipStart: 0, ipSum: 0, ipEnd: 0, transportStart: 0, transportSum: 0, transportEnd: 0 },
  ...{ payload: 0, header: 0, segment: 0, isIpv4: false, isTcp: false },
};

export function contextOf({ low, high, lower, upper }: TransmitDescriptor): Context {
  return {
    ...{ ipStart: low & 0xff, ipSum: (low >>> 8) & 0xff, ipEnd: low >>> 16 },
    ...{ transportStart: high & 0xff, transportSum: (high >>> 8) & 0xff, transportEnd: high >>> 16 },
    ...{ payload: lower & 0xf_ffff, header: (upper >>> 8) & 0xff, segment: upper >>> 16 },
    ...{ isIpv4: (lower & CONTEXT.ipv4) !== 0, isTcp: (lower & CONTEXT.tcp) !== 0 },
  };
}

export function transmitDescriptor(bytes: Uint8Array): TransmitDescriptor {
  const words = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (at: number): number => words.getUint32(at, true);
  return { low: word(0), high: word(4), lower: word(8), upper: word(12) };
}

/** Of the last word when a descriptor is done. Undefined: the driver does not want to know. */
export function doneWord({ lower, upper }: TransmitDescriptor): Uint8Array | undefined {
  if ((lower & (TX.report | TX.reportSent)) === 0) return undefined;
  const word = new Uint8Array(4);
  new DataView(word.buffer).setUint32(0, (upper | STATUS.done) & ~STATUS.collisions, true);
  return word;
}

/** RDESC.STA. 3.2.3.1. */
export const RX = { done: 0x1, endOfPacket: 0x2, ignoreSums: 0x4, vlan: 0x8 } as const;

/** Where the status is in a descriptor of the receive ring. */
export const RX_STATUS = 12;

/** Buffer of a descriptor of the receive ring: 0 is none. */
export const bufferOf = (descriptor: Uint8Array): bigint =>
  new DataView(descriptor.buffer, descriptor.byteOffset).getBigUint64(0, true);

/** What a descriptor of the receive ring is told. length undefined: as it was. */
export interface Filled {
  readonly length: number | undefined;
  readonly status: number;
  readonly special: number;
}

/** The descriptor with that, as it is written. */
export function filledDescriptor(before: Uint8Array, { length, status, special }: Filled): Uint8Array {
  const bytes = before.slice();
  const view = new DataView(bytes.buffer);
  if (length !== undefined) view.setUint16(8, length, true);
  view.setUint8(RX_STATUS, status);
  view.setUint16(14, special, true);
  return bytes;
}
