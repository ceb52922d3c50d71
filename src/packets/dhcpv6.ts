import { joined, numberAt, putNumber } from './layout.ts';

/** Ports of UDP. */
export const DHCPV6_PORTS = { CLIENT: 546, SERVER: 547 } as const;

/** RFC 8415, 7.3. */
export const DHCPV6_TYPES = {
  ...{ SOLICIT: 1, ADVERTISE: 2, REQUEST: 3, CONFIRM: 4, RENEW: 5, REBIND: 6, REPLY: 7, RELEASE: 8, DECLINE: 9 },
  ...{ RECONFIGURE: 10, INFORMATION_REQUEST: 11 },
} as const;

/** RFC 8415, 21; RFC 3646; RFC 5970. */
export const DHCPV6_OPTIONS = {
  ...{ CLIENT_ID: 1, SERVER_ID: 2, IA_NA: 3, IA_ADDRESS: 5, REQUESTED: 6, ELAPSED_TIME: 8, DNS: 23 },
  ...{ BOOTFILE_URL: 59 },
} as const;

/** One option: what follows its code and length. */
export interface Dhcpv6Option {
  /** Of `DHCPV6_OPTIONS`. */
  readonly code: number;
  readonly data: Uint8Array;
}

/** A message between client and server. */
export interface Dhcpv6Message {
  /** Of `DHCPV6_TYPES`. */
  readonly type: number;
  /** Of 24 bits. */
  readonly xid: number;
  readonly options: readonly Dhcpv6Option[];
}

/** A message by its bytes; undefined when they end within its first word or what an option says. */
export function parseDhcpv6(bytes: Uint8Array): Dhcpv6Message | undefined {
  if (bytes.length < 4) return undefined;
  const options: Dhcpv6Option[] = [];
  for (let at = 4; at + 4 <= bytes.length; ) {
    const end = at + 4 + numberAt(bytes, at + 2, 2);
    if (end > bytes.length) return undefined;
    options.push({ code: numberAt(bytes, at, 2), data: bytes.subarray(at + 4, end) });
    at = end;
  }
  return { type: bytes[0]!, xid: numberAt(bytes, 1, 3), options };
}

function optionBytes({ code, data }: Dhcpv6Option): Uint8Array {
  const bytes = joined(new Uint8Array(4), data);
  putNumber(bytes, 0, 2, code);
  putNumber(bytes, 2, 2, data.length);
  return bytes;
}

/** Its bytes. */
export function buildDhcpv6({ type, xid, options }: Dhcpv6Message): Uint8Array {
  const bytes = joined(new Uint8Array(4), ...options.map(optionBytes));
  putNumber(bytes, 0, 1, type);
  putNumber(bytes, 1, 3, xid);
  return bytes;
}
