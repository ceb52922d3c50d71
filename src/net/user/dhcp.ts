import { ethernetText, IPV4_BROADCAST, ipv4Text } from '../../packets/addresses.ts';
import { BOOTP_OPERATIONS, buildDhcp, DHCP_OPTIONS, DHCP_PORTS, DHCP_TYPES } from '../../packets/dhcp.ts';
import { type DhcpMessage, type DhcpOption, dhcpOption, parseDhcp } from '../../packets/dhcp.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import { numberAt, putNumber } from '../../packets/layout.ts';
import { buildUdp } from '../../packets/udp.ts';
import { domainSearch } from './domain-search.ts';
import { learn } from './link.ts';
import type { UserNet } from './part.ts';
import { sendIp } from './send.ts';
import { linesOf } from './setup.ts';

const { DISCOVER, REQUEST, OFFER, ACK, NAK } = DHCP_TYPES;

/** Bytes of every answer, and of the options in it with their cookie. */
const ANSWER = 548;
const OPTIONS_ROOM = 312;
const LEASE_SECONDS = 86_400;
const LOW_DELAY = 0x10;
/** libslirp keeps no more of `hostname=`. */
const LONGEST_HOST_NAME = 32;

/** Nobody asks for this address. */
const NONE = 0;

function number32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  putNumber(bytes, 0, 4, value);
  return bytes;
}

const textBytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** The address a client asks for: by the option, or in a request by the one it has. */
function askedBy(message: DhcpMessage, type: number): number {
  const option = message.options?.findLast(
    ({ code, data }) => code === DHCP_OPTIONS.REQUESTED_ADDRESS && data.length >= 4,
  )?.data;
  const address = option === undefined ? NONE : numberAt(option, 0, 4);
  return address === NONE && type === REQUEST && message.options !== undefined ? message.clientIpv4 : address;
}

/** A place of the server's, and the address that goes with it. */
interface Place {
  readonly place: number;
  readonly address: number;
}

/** The address of a place: libslirp counts in the last byte alone. */
const addressOf = ({ network }: UserNet, place: number): number =>
  ((network.dhcpStart & 0xffff_ff00) | ((network.dhcpStart + place) & 0xff)) >>> 0;

/** The place of an address a client asks for, if it is free or its own. */
function placeAsked(net: UserNet, address: number, ethernet: number): Place | undefined {
  const place = address - net.network.dhcpStart;
  const lease = net.state.leases[place];
  return lease === undefined || (lease.isTaken && lease.ethernet !== ethernet) ? undefined : { place, address };
}

/** The first place that is free or the client's. */
function anyPlace(net: UserNet, ethernet: number): Place | undefined {
  const place = net.state.leases.findIndex((lease) => !lease.isTaken || lease.ethernet === ethernet);
  return place < 0 ? undefined : { place, address: addressOf(net, place) };
}

/** The place a client has, by its Ethernet address alone. */
function ownPlace(net: UserNet, ethernet: number): Place | undefined {
  const place = net.state.leases.findIndex((lease) => lease.ethernet === ethernet);
  return place < 0 ? undefined : { place, address: addressOf(net, place) };
}

/** What a client is given. `nak`: it is told that it cannot have what it asks for; undefined: it is told nothing. */
function placeFor(net: UserNet, type: number, asked: number, ethernet: number): Place | 'nak' | undefined {
  if (type === DISCOVER) {
    const wanted = asked === NONE ? undefined : placeAsked(net, asked, ethernet);
    return wanted ?? anyPlace(net, ethernet);
  }
  if (asked !== NONE) return placeAsked(net, asked, ethernet) ?? 'nak';
  return ownPlace(net, ethernet) ?? anyPlace(net, ethernet);
}

/** Options of texts, as far as there is room for them after so many bytes. */
function textsOf({ setup }: UserNet, used: number): readonly DhcpOption[] {
  const { hostname, domainname, bootfile, dnssearch } = setup;
  const texts: readonly (readonly [code: number, text: string])[] = [
    [DHCP_OPTIONS.HOST_NAME, hostname.slice(0, LONGEST_HOST_NAME)],
    [DHCP_OPTIONS.DOMAIN_NAME, domainname],
    [DHCP_OPTIONS.TFTP_SERVER, setup['tftp-server-name']],
  ];
  const groups: readonly (readonly DhcpOption[])[] = [
    ...texts.map(([code, text]) => (text === '' ? [] : [{ code, data: textBytes(text) }])),
    domainSearch(linesOf(dnssearch)),
    // UEFI boots from a URL of whoever says that it may.
    bootfile.startsWith('http://') ? [{ code: DHCP_OPTIONS.VENDOR_CLASS, data: textBytes('HTTPClient') }] : [],
  ];
  let length = used;
  return groups.flatMap((options) => {
    const more = options.reduce((sum, { data }) => sum + 2 + data.length, 0);
    if (length + more >= OPTIONS_ROOM) return [];
    length += more;
    return options;
  });
}

function optionsFor(net: UserNet, type: number): readonly DhcpOption[] {
  const { network, setup } = net;
  const here = number32(network.host);
  const fixed: readonly DhcpOption[] = [
    { code: DHCP_OPTIONS.MESSAGE_TYPE, data: Uint8Array.of(type === DISCOVER ? OFFER : ACK) },
    { code: DHCP_OPTIONS.SERVER, data: here },
    { code: DHCP_OPTIONS.MASK, data: number32(network.mask) },
    ...(setup.restrict
      ? []
      : [
          { code: DHCP_OPTIONS.ROUTER, data: here },
          { code: DHCP_OPTIONS.DNS, data: number32(network.dns) },
        ]),
    { code: DHCP_OPTIONS.LEASE_TIME, data: number32(LEASE_SECONDS) },
  ];
  const used = fixed.reduce((sum, { data }) => sum + 2 + data.length, 4);
  return [...fixed, ...textsOf(net, used)];
}

const REFUSAL: readonly DhcpOption[] = [
  { code: DHCP_OPTIONS.MESSAGE_TYPE, data: Uint8Array.of(NAK) },
  { code: DHCP_OPTIONS.MESSAGE, data: textBytes('requested address not available') },
];

/** Put on record who is told what. */
function tell(net: UserNet, type: number, given: Place | 'nak', asked: number, clientEthernet: number): void {
  const { effects } = net;
  const ethernet = ethernetText(clientEthernet);
  if (given === 'nak') {
    effects.raise({ kind: 'sim:dhcp_refused', dev: effects.name, address: ipv4Text(asked), ethernet });
    return;
  }
  const { place, address } = given;
  const answer = type === DISCOVER ? 'offer' : 'ack';
  effects.raise({ kind: 'sim:dhcp_leased', dev: effects.name, place, address: ipv4Text(address), ethernet, answer });
  learn(net, address, clientEthernet);
}

/** A message of BOOTP or DHCP to the server. */
export function receiveDhcp(net: UserNet, bytes: Uint8Array): void {
  const message = parseDhcp(bytes);
  if (message?.op !== BOOTP_OPERATIONS.REQUEST) return;
  // Who does not say is a client of BOOTP, which is as good as asking.
  const type = dhcpOption(message, DHCP_OPTIONS.MESSAGE_TYPE)?.[0] ?? 0;
  const meant = type === 0 ? REQUEST : type;
  if (meant !== DISCOVER && meant !== REQUEST) return;
  const asked = askedBy(message, type);
  const given = placeFor(net, meant, asked, message.clientEthernet);
  if (given === undefined) return;
  tell(net, meant, given, asked, message.clientEthernet);
  const { host } = net.network;
  const answer: DhcpMessage = {
    ...{ op: BOOTP_OPERATIONS.REPLY, xid: message.xid, seconds: 0, flags: 0, clientIpv4: 0, relayIpv4: 0 },
    ...{ yourIpv4: given === 'nak' ? IPV4_BROADCAST : given.address, serverIpv4: host },
    ...{
      clientEthernet: message.clientEthernet,
      serverName: '',
      file: given === 'nak' ? '' : net.setup.bootfile,
    },
    options: given === 'nak' ? REFUSAL : optionsFor(net, meant),
  };
  const ends = { source: host, destination: IPV4_BROADCAST, protocol: IP_PROTOCOLS.UDP };
  const ports = { sourcePort: DHCP_PORTS.SERVER, destinationPort: DHCP_PORTS.CLIENT };
  sendIp(net, { ...ends, payload: buildUdp({ ...ports, payload: buildDhcp(answer, ANSWER) }, ends), tos: LOW_DELAY });
}
