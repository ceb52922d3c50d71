import { buildDhcpv6, DHCPV6_OPTIONS, DHCPV6_TYPES, type Dhcpv6Option, parseDhcpv6 } from '../../packets/dhcpv6.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import type { Ipv6Packet } from '../../packets/ipv6.ts';
import { numberAt, putWide } from '../../packets/layout.ts';
import { buildUdp, type UdpDatagram } from '../../packets/udp.ts';
import type { UserNet } from './part.ts';
import { sendIp } from './send.ts';

const LONGEST_ID = 256;

/** libslirp forgets to turn the bytes of the port it answers from. */
const ANSWERS_FROM = 0x2302;

function addressBytes(address: bigint): Uint8Array {
  const bytes = new Uint8Array(16);
  putWide(bytes, 0, address);
  return bytes;
}

/** Which options are asked for; undefined: the list is none. */
function requestedBy(options: readonly Dhcpv6Option[]): readonly number[] | undefined {
  const lists = options.filter(({ code }) => code === DHCPV6_OPTIONS.REQUESTED).map(({ data }) => data);
  if (lists.some(({ length }) => length % 2 === 1)) return undefined;
  return lists.flatMap((data) => Array.from({ length: data.length / 2 }, (_, at) => numberAt(data, 2 * at, 2)));
}

/** Where to boot from: the gateway's address is spelled whole. */
function bootUrl({ network, setup }: UserNet): Uint8Array {
  const groups = network.host6
    .toString(16)
    .padStart(32, '0')
    .replace(/.{4}(?!$)/g, '$&:');
  return Uint8Array.from(`tftp://[${groups}]/${setup.bootfile || '(null)'}`, (c) => c.charCodeAt(0));
}

function optionsFor(net: UserNet, requested: readonly number[], id: Uint8Array | undefined): readonly Dhcpv6Option[] {
  const { CLIENT_ID, DNS, BOOTFILE_URL } = DHCPV6_OPTIONS;
  return [
    ...(id === undefined ? [] : [{ code: CLIENT_ID, data: id }]),
    ...(requested.includes(DNS) ? [{ code: DNS, data: addressBytes(net.network.dns6) }] : []),
    ...(requested.includes(BOOTFILE_URL) ? [{ code: BOOTFILE_URL, data: bootUrl(net) }] : []),
  ];
}

/** A message to the server, which keeps nothing: it answers who asks for information. */
export function receiveDhcpv6(net: UserNet, packet: Ipv6Packet, datagram: UdpDatagram): void {
  const message = parseDhcpv6(datagram.payload);
  if (message?.type !== DHCPV6_TYPES.INFORMATION_REQUEST) return;
  const { options, xid } = message;
  const ids = options.filter(({ code }) => code === DHCPV6_OPTIONS.CLIENT_ID).map(({ data }) => data);
  const requested = requestedBy(options);
  const isRefused = options.some(({ code }) => code === DHCPV6_OPTIONS.IA_ADDRESS);
  if (isRefused || requested === undefined || ids.some(({ length }) => length > LONGEST_ID)) return;
  const answer = buildDhcpv6({ type: DHCPV6_TYPES.REPLY, xid, options: optionsFor(net, requested, ids.at(-1)) });
  const ends = { source: net.network.host6, destination: packet.source, protocol: IP_PROTOCOLS.UDP };
  const ports = { sourcePort: ANSWERS_FROM, destinationPort: datagram.sourcePort };
  sendIp(net, { ...ends, payload: buildUdp({ ...ports, payload: answer }, ends) });
}
