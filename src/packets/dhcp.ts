import { latin1 } from '../base/bytes.ts';
import { joined, layout, numberAt, putNumber, u8, u16, u32, u48 } from './layout.ts';

/** Ports of UDP. */
export const DHCP_PORTS = { SERVER: 67, CLIENT: 68 } as const;

export const BOOTP_OPERATIONS = { REQUEST: 1, REPLY: 2 } as const;

/** What option `MESSAGE_TYPE` says (RFC 2132, 9.6). */
export const DHCP_TYPES = {
  ...{ DISCOVER: 1, OFFER: 2, REQUEST: 3, DECLINE: 4, ACK: 5, NAK: 6, RELEASE: 7, INFORM: 8 },
} as const;

/** Codes of options (RFC 2132, RFC 3397). */
export const DHCP_OPTIONS = {
  ...{ PAD: 0, MASK: 1, ROUTER: 3, DNS: 6, HOST_NAME: 12, DOMAIN_NAME: 15, REQUESTED_ADDRESS: 50, LEASE_TIME: 51 },
  ...{ MESSAGE_TYPE: 53, SERVER: 54, PARAMETERS: 55, MESSAGE: 56, LARGEST: 57, VENDOR_CLASS: 60, CLIENT: 61 },
  ...{ TFTP_SERVER: 66, DOMAIN_SEARCH: 119, END: 255 },
} as const;

/** RFC 951, RFC 2131: all before the options. */
const HEADER = layout(236, {
  op: u8(0),
  hardware: u8(1),
  hardwareLength: u8(2),
  hops: u8(3),
  xid: u32(4),
  seconds: u16(8),
  flags: u16(10),
  clientIpv4: u32(12),
  yourIpv4: u32(16),
  serverIpv4: u32(20),
  relayIpv4: u32(24),
  clientEthernet: u48(28),
});

const SERVER_NAME_AT = 44;
const FILE_AT = 108;
const COOKIE = 0x6382_5363;
const OPTIONS_AT = HEADER.length + 4;

/** One option: what follows its code and length. */
export interface DhcpOption {
  /** Of `DHCP_OPTIONS`. */
  readonly code: number;
  /** At most 255 bytes. */
  readonly data: Uint8Array;
}

/** A message of BOOTP or DHCP. Addresses are numbers. */
export interface DhcpMessage {
  /** Of `BOOTP_OPERATIONS`. */
  readonly op: number;
  readonly xid: number;
  readonly seconds: number;
  readonly flags: number;
  readonly clientIpv4: number;
  readonly yourIpv4: number;
  readonly serverIpv4: number;
  readonly relayIpv4: number;
  readonly clientEthernet: number;
  /** At most 63 and 127 characters of Latin-1. */
  readonly serverName: string;
  readonly file: string;
  /** In their order, without padding. Absent: there is no cookie, so that this is BOOTP. */
  readonly options: readonly DhcpOption[] | undefined;
}

function textAt(bytes: Uint8Array, from: number, to: number): string {
  const end = bytes.indexOf(0, from);
  return latin1(bytes.subarray(from, end < 0 || end > to ? to : end));
}

/** Options up to their end; those from one on that reaches beyond the bytes are left out. */
function optionsIn(bytes: Uint8Array): readonly DhcpOption[] {
  const options: DhcpOption[] = [];
  for (let at = 0; at < bytes.length; ) {
    const code = bytes[at++]!;
    if (code === DHCP_OPTIONS.PAD) continue;
    const length = bytes[at++];
    if (code === DHCP_OPTIONS.END || length === undefined || at + length > bytes.length) break;
    options.push({ code, data: bytes.subarray(at, at + length) });
    at += length;
  }
  return options;
}

/** A message by its bytes; undefined when they end before its options. */
export function parseDhcp(bytes: Uint8Array): DhcpMessage | undefined {
  const fields = HEADER.read(bytes);
  if (fields === undefined) return undefined;
  const { hardware: _, hardwareLength: __, hops: ___, ...said } = fields;
  const hasCookie = bytes.length >= OPTIONS_AT && numberAt(bytes, HEADER.length, 4) === COOKIE;
  return {
    ...said,
    serverName: textAt(bytes, SERVER_NAME_AT, FILE_AT),
    file: textAt(bytes, FILE_AT, HEADER.length),
    options: hasCookie ? optionsIn(bytes.subarray(OPTIONS_AT)) : undefined,
  };
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Its bytes, with zeroes after the options up to a length. */
export function buildDhcp(message: DhcpMessage, least = 0): Uint8Array {
  const options = (message.options ?? []).flatMap(({ code, data }) => [Uint8Array.of(code, data.length), data]);
  const end = message.options === undefined ? [] : [Uint8Array.of(DHCP_OPTIONS.END)];
  const written = joined(new Uint8Array(OPTIONS_AT), ...options, ...end);
  const bytes = joined(written, new Uint8Array(Math.max(0, least - written.length)));
  HEADER.write(bytes, { ...message, hardware: 1, hardwareLength: 6, hops: 0 });
  bytes.set(bytesOf(message.serverName), SERVER_NAME_AT);
  bytes.set(bytesOf(message.file), FILE_AT);
  if (message.options !== undefined) putNumber(bytes, HEADER.length, 4, COOKIE);
  return bytes;
}

/** What an option says, if the message has it: the last of them. */
export const dhcpOption = (message: DhcpMessage, code: number): Uint8Array | undefined =>
  message.options?.findLast((option) => option.code === code)?.data;
