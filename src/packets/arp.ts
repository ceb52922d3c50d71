import { layout, u8, u16, u32, u48 } from './layout.ts';

/** The last is RARP's: RFC 903. */
export const ARP_OPERATIONS = { REQUEST: 1, REPLY: 2, REVERSE_REQUEST: 3 } as const;

const ETHERNET = 1;
const IPV4 = 0x0800;

/** RFC 826 for IPv4 over Ethernet. */
const MESSAGE = layout(28, {
  hardware: u16(0),
  protocol: u16(2),
  hardwareLength: u8(4),
  protocolLength: u8(5),
  operation: u16(6),
  senderEthernet: u48(8),
  senderIpv4: u32(14),
  targetEthernet: u48(18),
  targetIpv4: u32(24),
});

/** What an ARP message says. Addresses are numbers. */
export interface ArpMessage {
  /** Of `ARP_OPERATIONS`. */
  readonly operation: number;
  readonly senderEthernet: number;
  readonly senderIpv4: number;
  readonly targetEthernet: number;
  readonly targetIpv4: number;
}

/** One that was read: what kinds of addresses it says it is about, which nobody has to heed. */
export interface ParsedArp extends ArpMessage {
  readonly isEthernetIpv4: boolean;
}

/** A message by its bytes, which may end after it; undefined when they end within it. */
export function parseArp(bytes: Uint8Array): ParsedArp | undefined {
  const message = MESSAGE.read(bytes);
  if (message === undefined) return undefined;
  const { hardware, protocol, hardwareLength, protocolLength, ...said } = message;
  const isEthernetIpv4 = hardware === ETHERNET && protocol === IPV4 && hardwareLength === 6 && protocolLength === 4;
  return { ...said, isEthernetIpv4 };
}

/** Its 28 bytes. */
export function buildArp(message: ArpMessage): Uint8Array {
  const bytes = new Uint8Array(MESSAGE.length);
  MESSAGE.write(bytes, { ...message, hardware: ETHERNET, protocol: IPV4, hardwareLength: 6, protocolLength: 4 });
  return bytes;
}
