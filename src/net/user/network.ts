import { Problem } from '../../base/problem.ts';
import { ipv4Text, ipv6Of, ipv6Text } from '../../packets/addresses.ts';
import { type Forward, guestForwardsOf, type HostForward, hostForwardOf } from './forwards.ts';
import { liveRulesOf, type LiveRules } from '../live/rules.ts';
import { inetAton } from './inet-aton.ts';
import { domainSearch } from './domain-search.ts';
import { linesOf, type UserNetSetup } from './setup.ts';

/** The addresses of a network that user networking makes: numbers of IPv4, bigints of IPv6. */
export interface Network {
  readonly hasIpv4: boolean;
  readonly network: number;
  readonly mask: number;
  /** The gateway. */
  readonly host: number;
  readonly dns: number;
  readonly dhcpStart: number;
  readonly hasIpv6: boolean;
  readonly prefix6: bigint;
  readonly prefixLength: number;
  readonly host6: bigint;
  readonly dns6: bigint;
  /** Addresses and ports of the network that lead to services. */
  readonly forwards: readonly Forward[];
  /** Ports of the host's that lead to the guest. */
  readonly hostForwards: readonly HostForward[];
  /** Whom the guest may reach by sockets of the host's. */
  readonly live: LiveRules;
}

/** `value` is not what an option takes: QEMU's words, and what was said. */
const refused = (words: string, option: string, value: string): Problem => new Problem(`${words}: ${option}=${value}`);

function ipv4Option(
  setup: UserNetSetup,
  option: 'host' | 'dns' | 'dhcpstart',
  otherwise: number,
  words: string,
): number {
  const text = setup[option];
  if (text === '') return otherwise;
  const address = inetAton(text);
  if (address === undefined) throw refused(words, option, text);
  return address;
}

/** The mask of a network nobody gave one, by its class. */
function classMask(network: number): number {
  if (network < 0x8000_0000) return 0xff00_0000;
  if ((network & 0xfff0_0000) >>> 0 === 0xac10_0000) return 0xfff0_0000;
  if (network < 0xc000_0000) return 0xffff_0000;
  if (network >>> 16 === 0xc0a8) return 0xffff_0000;
  if (network >>> 16 === 0xc612) return 0xfffe_0000;
  return network >= 0xe000_0000 ? 0xffff_ff00 : 0xffff_fff0;
}

function maskOf(text: string, net: string): number {
  if (!/^\s*[+-]?\d*$/.test(text)) {
    const mask = inetAton(text);
    if (mask === undefined) throw refused('Failed to parse netmask (trailing chars)', 'net', net);
    return mask;
  }
  const length = Number(text);
  if (length < 4 || length > 32) throw refused('Invalid netmask provided (must be in range 4-32)', 'net', net);
  return (0xffff_ffff << (32 - length)) >>> 0;
}

/** `net=`: the network and its mask. */
function netOf(net: string): { readonly network: number; readonly mask: number } {
  const [address = '', ...rest] = net.split('/');
  const network = inetAton(address);
  if (network === undefined) throw refused('Failed to parse netmask', 'net', net);
  const mask = rest.length === 0 ? classMask(network) : maskOf(rest.join('/'), net);
  return { network: (network & mask) >>> 0, mask };
}

/** An address of the network by its lowest bits. */
const within = (network: number, mask: number, low: number): number => (network | (low & ~mask)) >>> 0;

const belongs = (address: number, network: number, mask: number): boolean => (address & mask) >>> 0 === network;

function ipv4Part(setup: UserNetSetup): Pick<Network, 'network' | 'mask' | 'host' | 'dns' | 'dhcpStart'> {
  const { network, mask } = netOf(setup.net || (setup.ip === '' ? '10.0.2.0/24' : `${setup.ip}/24`));
  const host = ipv4Option(setup, 'host', within(network, mask, 0x0202), 'Failed to parse host');
  if (!belongs(host, network, mask)) throw refused("Host doesn't belong to network", 'host', ipv4Text(host));
  const dns = ipv4Option(setup, 'dns', within(network, mask, 0x0203), 'Failed to parse DNS');
  if (setup.restrict && !belongs(dns, network, mask)) {
    throw refused("DNS doesn't belong to network", 'dns', ipv4Text(dns));
  }
  if (dns === host) throw refused('DNS must be different from host', 'dns', ipv4Text(dns));
  const start = within(network, mask, 0x020f);
  const dhcpStart = ipv4Option(setup, 'dhcpstart', start, 'Failed to parse DHCP start address');
  const said = ipv4Text(dhcpStart);
  if (!belongs(dhcpStart, network, mask)) throw refused("DHCP doesn't belong to network", 'dhcpstart', said);
  if (dhcpStart === host || dhcpStart === dns) {
    throw refused('DHCP must be different from host and DNS', 'dhcpstart', said);
  }
  return { network, mask, host, dns, dhcpStart };
}

/** Whether two addresses of IPv6 have the same first bits. */
export const sharesPrefix = (a: bigint, b: bigint, length: number): boolean => (a ^ b) >> BigInt(128 - length) === 0n;

function ipv6Option(setup: UserNetSetup, option: 'ipv6-host' | 'ipv6-dns', otherwise: bigint, words: string): bigint {
  const text = setup[option];
  if (text === '') return otherwise;
  const address = ipv6Of(text);
  if (address === undefined) throw refused(words, option, text);
  return address;
}

/** `ipv6-net=`, which says both in one, and what is said of each. */
function prefixOf(setup: UserNetSetup): readonly [prefix: string, length: number] {
  if (setup['ipv6-net'] === '') return [setup['ipv6-prefix'] || 'fec0::', setup['ipv6-prefixlen'] || 64];
  const [prefix = '', digits = '64'] = setup['ipv6-net'].split('/', 2);
  if (!/^\d+$/.test(digits))
    throw refused("Parameter 'ipv6-prefixlen' expects a number", 'ipv6-net', setup['ipv6-net']);
  return [prefix, Number(digits) || 64];
}

function ipv6Part(setup: UserNetSetup): Pick<Network, 'prefix6' | 'prefixLength' | 'host6' | 'dns6'> {
  const [text, prefixLength] = prefixOf(setup);
  const prefix6 = ipv6Of(text);
  if (prefix6 === undefined) throw refused('Failed to parse IPv6 prefix', 'ipv6-prefix', text);
  if (prefixLength < 0 || prefixLength > 126) {
    const words = 'Invalid IPv6 prefix provided (IPv6 prefix length must be between 0 and 126)';
    throw refused(words, 'ipv6-prefixlen', `${prefixLength}`);
  }
  const host6 = ipv6Option(setup, 'ipv6-host', prefix6 | 2n, 'Failed to parse IPv6 host');
  if (!sharesPrefix(prefix6, host6, prefixLength)) {
    throw refused("IPv6 Host doesn't belong to network", 'ipv6-host', ipv6Text(host6));
  }
  const dns6 = ipv6Option(setup, 'ipv6-dns', prefix6 | 3n, 'Failed to parse IPv6 DNS');
  if (setup.restrict && !sharesPrefix(prefix6, dns6, prefixLength)) {
    throw refused("IPv6 DNS doesn't belong to network", 'ipv6-dns', ipv6Text(dns6));
  }
  return { prefix6, prefixLength, host6, dns6 };
}

/** Which of IPv4 and IPv6 there is: to ask for one alone is to do without the other. */
function versionsOf(setup: UserNetSetup): Pick<Network, 'hasIpv4' | 'hasIpv6'> {
  const isThere = (own: string, other: string): boolean => (own === 'auto' ? other !== 'on' : own === 'on');
  const hasIpv4 = isThere(setup.ipv4, setup.ipv6);
  const hasIpv6 = isThere(setup.ipv6, setup.ipv4);
  if (!hasIpv4 && (setup.net || setup.ip || setup.host || setup.dns) !== '') {
    throw new Problem('IPv4 disabled but netmask/host/dns provided');
  }
  if (!hasIpv6 && (setup['ipv6-net'] || setup['ipv6-prefix'] || setup['ipv6-host'] || setup['ipv6-dns']) !== '') {
    throw new Problem('IPv6 disabled but prefix/host6/dns6 provided');
  }
  if (!hasIpv4 && !hasIpv6) throw new Problem('IPv4 and IPv6 disabled');
  return { hasIpv4, hasIpv6 };
}

/** The network of a setup. Throws a Problem for what does not go together. */
export function networkOf(setup: UserNetSetup): Network {
  const versions = versionsOf(setup);
  const ipv4 = ipv4Part(setup);
  const made = { ...versions, ...ipv4, ...ipv6Part(setup) };
  const hostForwards = linesOf(setup.hostfwd).map(hostForwardOf);
  return {
    ...made,
    forwards: guestForwardsOf(linesOf(setup.guestfwd), made),
    hostForwards,
    live: liveRulesOf(setup.live),
  };
}

/** The most bytes of texts that DHCP hands out, and what QEMU calls them. */
const LONGEST = [
  ['domainname', 'domainname', 255],
  ['hostname', 'vhostname', 255],
  ['tftp-server-name', 'tftp-server-name', 255],
  ['bootfile', 'bootfile', 127],
] as const;

/** What goes together: the setup itself. Throws a Problem for what does not. */
export function settled(setup: UserNetSetup): UserNetSetup {
  networkOf(setup);
  for (const [option, name, most] of LONGEST) {
    if (setup[option].length > most) throw new Problem(`'${name}' parameter cannot exceed ${most} bytes`);
  }
  domainSearch(linesOf(setup.dnssearch));
  if (setup.restrict && setup.live !== '') {
    throw new Problem('restrict=on keeps the guest from everybody, live= names whom it reaches: leave out one of them');
  }
  if (setup.smb !== '' || setup.smbserver !== '') {
    throw new Problem('smb= would serve a folder of the host by its own samba: there is no such server, leave it out');
  }
  return setup;
}
