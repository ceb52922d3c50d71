import { describe, expect, test } from 'vitest';
import { driver, type UserNetSetup } from '../../../src/net/user/index.ts';
import { networkOf } from '../../../src/net/user/network.ts';
import { ipv4Text, ipv6Text } from '../../../src/packets/addresses.ts';
import { setupOf } from '../wire.ts';

/** What `-netdev user,...` says, as a setup. */
function given(options: string): UserNetSetup {
  const setup: Record<string, string | number | boolean> = {};
  for (const option of options.split(',')) {
    const [name = '', ...rest] = option.split('=');
    const value = rest.join('=');
    if (name === 'restrict') setup[name] = value === 'on';
    else if (name === 'ipv6-prefixlen') setup[name] = Number(value);
    else setup[name] = setup[name] === undefined ? value : `${setup[name]}\n${value}`;
  }
  return setupOf(setup);
}

const settle = (options: string): UserNetSetup => driver.settle!(given(options), {});

/** Of `qemu-system-x86_64 -M none -netdev user,id=u,...`, 7.2. */
const REFUSED: readonly (readonly [options: string, words: string])[] = [
  ['net=foo', 'Failed to parse netmask'],
  ['net=10.0.2.0/3', 'Invalid netmask provided (must be in range 4-32)'],
  ['net=10.0.2.0/33', 'Invalid netmask provided (must be in range 4-32)'],
  ['net=10.0.2.0/24x', 'Failed to parse netmask (trailing chars)'],
  ['net=10.0.2.0/', 'Invalid netmask provided (must be in range 4-32)'],
  ['net=10.0.2.0/24/7', 'Failed to parse netmask (trailing chars)'],
  ['net=10.0.2.0/32', 'DNS must be different from host'],
  ['host=foo', 'Failed to parse host'],
  ['host=10.0.3.2', "Host doesn't belong to network"],
  ['host=10.0.2.3', 'DNS must be different from host'],
  ['dns=foo', 'Failed to parse DNS'],
  ['dns=10.0.2.2', 'DNS must be different from host'],
  ['dns=8.8.8.8,restrict=on', "DNS doesn't belong to network"],
  ['dhcpstart=foo', 'Failed to parse DHCP start address'],
  ['dhcpstart=10.0.3.1', "DHCP doesn't belong to network"],
  ['dhcpstart=10.0.2.2', 'DHCP must be different from host and DNS'],
  ['dhcpstart=10.0.2.3', 'DHCP must be different from host and DNS'],
  ['ipv4=off,net=10.0.3.0/24', 'IPv4 disabled but netmask/host/dns provided'],
  ['ipv4=off,host=10.0.2.5', 'IPv4 disabled but netmask/host/dns provided'],
  ['ipv4=off,dns=10.0.2.5', 'IPv4 disabled but netmask/host/dns provided'],
  ['ipv6=off,ipv6-prefix=fec1::', 'IPv6 disabled but prefix/host6/dns6 provided'],
  ['ipv6=off,ipv6-host=fec0::5', 'IPv6 disabled but prefix/host6/dns6 provided'],
  ['ipv6=off,ipv6-net=fec1::/64', 'IPv6 disabled but prefix/host6/dns6 provided'],
  ['ipv4=off,ipv6=off', 'IPv4 and IPv6 disabled'],
  ['ipv6=on,net=10.0.3.0/24', 'IPv4 disabled but netmask/host/dns provided'],
  ['ipv4=on,ipv6-host=fec0::5', 'IPv6 disabled but prefix/host6/dns6 provided'],
  ['ipv6-prefix=foo', 'Failed to parse IPv6 prefix'],
  ['ipv6-prefixlen=127', 'Invalid IPv6 prefix provided (IPv6 prefix length must be between 0 and 126)'],
  ['ipv6-prefixlen=-1', 'Invalid IPv6 prefix provided (IPv6 prefix length must be between 0 and 126)'],
  ['ipv6-net=fec1::/foo', "Parameter 'ipv6-prefixlen' expects a number"],
  ['ipv6-net=/48', 'Failed to parse IPv6 prefix'],
  ['ipv6-host=foo', 'Failed to parse IPv6 host'],
  ['ipv6-host=fec1::2', "IPv6 Host doesn't belong to network"],
  ['ipv6-dns=foo', 'Failed to parse IPv6 DNS'],
  ['ipv6-dns=fec1::3,restrict=on', "IPv6 DNS doesn't belong to network"],
  ['guestfwd=foo', "Invalid guest forwarding rule 'foo'"],
  ['guestfwd=udp:10.0.2.100:80-builtin:echo', "Invalid guest forwarding rule 'udp:10.0.2.100:80-builtin:echo'"],
  [
    'guestfwd=tcp:10.0.2.2:80-builtin:echo',
    "Conflicting/invalid host:port in guest forwarding rule 'tcp:10.0.2.2:80-builtin:echo'",
  ],
  [
    'guestfwd=tcp:10.0.2.3:80-builtin:echo',
    "Conflicting/invalid host:port in guest forwarding rule 'tcp:10.0.2.3:80-builtin:echo'",
  ],
  [
    'guestfwd=tcp:10.0.3.1:80-builtin:echo',
    "Conflicting/invalid host:port in guest forwarding rule 'tcp:10.0.3.1:80-builtin:echo'",
  ],
  ['guestfwd=tcp:10.0.2.100:0-builtin:echo', "Invalid guest forwarding rule 'tcp:10.0.2.100:0-builtin:echo'"],
  ['guestfwd=tcp:10.0.2.100:99999-builtin:echo', "Invalid guest forwarding rule 'tcp:10.0.2.100:99999-builtin:echo'"],
  ['guestfwd=tcp:foo:80-builtin:echo', "Invalid guest forwarding rule 'tcp:foo:80-builtin:echo'"],
  ['guestfwd=tcp:10.0.2.100:80', "Invalid guest forwarding rule 'tcp:10.0.2.100:80'"],
  ['hostfwd=foo', "Invalid host forwarding rule 'foo' (No : separators)"],
  ['hostfwd=sctp::1-:2', "Invalid host forwarding rule 'sctp::1-:2' (Bad protocol name)"],
  ['hostfwd=tcp:foo:39991-:22', "Invalid host forwarding rule 'tcp:foo:39991-:22' (Bad host address)"],
  ['hostfwd=tcp:39991-:22', "Invalid host forwarding rule 'tcp:39991-:22' (Bad host address)"],
  ['hostfwd=tcp::39991', "Invalid host forwarding rule 'tcp::39991' (Bad host port separator)"],
  ['hostfwd=tcp::x-:22', "Invalid host forwarding rule 'tcp::x-:22' (Bad host port)"],
  ['hostfwd=tcp::70000-:22', "Invalid host forwarding rule 'tcp::70000-:22' (Bad host port)"],
  ['hostfwd=tcp::-1-:22', "Invalid host forwarding rule 'tcp::-1-:22' (Bad guest address)"],
  ['hostfwd=tcp::39991-22', "Invalid host forwarding rule 'tcp::39991-22' (Missing guest address)"],
  ['hostfwd=tcp::39991-foo:22', "Invalid host forwarding rule 'tcp::39991-foo:22' (Bad guest address)"],
  ['hostfwd=tcp::39991-:0', "Invalid host forwarding rule 'tcp::39991-:0' (Bad guest port)"],
  ['hostfwd=tcp::39991-:70000', "Invalid host forwarding rule 'tcp::39991-:70000' (Bad guest port)"],
  ['hostfwd=tcp::39991-:x', "Invalid host forwarding rule 'tcp::39991-:x' (Bad guest port)"],
];

const TAKEN: readonly string[] = [
  'net=10.0.3.0/24',
  'net=10.0.2.0/255.255.0.0',
  'net=10',
  'net=0x0a.0.2.0/24',
  'dns=8.8.8.8',
  'ipv4=on,ipv6=off',
  'ipv6-prefixlen=0',
  'ipv6-net=fec1::/48',
  'ipv6-net=fec1::',
  'ipv6-dns=fec1::3',
  'guestfwd=tcp:10.0.2.100:80-builtin:echo',
  'guestfwd=tcp::80-builtin:echo',
  'guestfwd=:10.0.2.100:80-builtin:echo',
  'guestfwd=tcp:10.0.2.100:80-cmd:sh -c "exec cat"',
  'hostfwd=tcp::39991-:22',
  'hostfwd=udp::39991-:22',
  'hostfwd=::39991-:22',
  'hostfwd=tcp::0x9c37-:026',
  'dnssearch=example.org',
  'ip=10.0.7.0',
];

describe('-netdev user', () => {
  test.each(REFUSED)("refuses %s in QEMU's words", (options, words) => {
    expect(() => settle(options)).toThrow(words);
  });

  test.each(TAKEN)('takes %s, as QEMU does', (options) => {
    expect(settle(options)).toEqual(given(options));
  });

  test.each([
    ['guestfwd=tcp:10.0.2.100:80-cmd:', 'names no program'],
    ["guestfwd=tcp:10.0.2.100:80-cmd:sh -c 'exit", 'a quotation mark in it is not closed'],
    ['guestfwd=tcp:10.0.2.100:80-builtin:htpt', 'leads nowhere: name builtin:http, builtin:echo'],
    ['guestfwd=tcp:10.0.2.4:80-builtin:echo,guestfwd=tcp:10.0.2.4:80-builtin:http', 'Conflicting/invalid host:port'],
    ['dnssearch=a..b', "failed to parse domain name 'a..b'"],
    ['smb=/tmp', 'there is no such server'],
    [`domainname=${'a'.repeat(256)}`, "'domainname' parameter cannot exceed 255 bytes"],
    [`hostname=${'a'.repeat(256)}`, "'vhostname' parameter cannot exceed 255 bytes"],
    [`bootfile=${'a'.repeat(128)}`, "'bootfile' parameter cannot exceed 127 bytes"],
  ])('refuses %s in words of its own', (options, words) => {
    expect(() => settle(options)).toThrow(words);
  });

  test.each([
    ['net=10.0.3.0/24', '10.0.3.0', '255.255.255.0', '10.0.3.2', '10.0.3.3', '10.0.3.15'],
    ['net=172.16.5.0', '172.16.0.0', '255.240.0.0', '172.16.2.2', '172.16.2.3', '172.16.2.15'],
    ['net=192.168.9.9', '192.168.0.0', '255.255.0.0', '192.168.2.2', '192.168.2.3', '192.168.2.15'],
    ['net=10.0.2.0/255.255.0.0', '10.0.0.0', '255.255.0.0', '10.0.2.2', '10.0.2.3', '10.0.2.15'],
    ['ip=10.0.7.0', '10.0.7.0', '255.255.255.0', '10.0.7.2', '10.0.7.3', '10.0.7.15'],
    ['host=10.0.2.9,dns=8.8.8.8,dhcpstart=10.0.2.99', '10.0.2.0', '255.255.255.0', '10.0.2.9', '8.8.8.8', '10.0.2.99'],
  ])('%s: what follows is filled in', (options, ...addresses) => {
    const { network, mask, host, dns, dhcpStart } = networkOf(settle(options));
    expect([network, mask, host, dns, dhcpStart].map(ipv4Text)).toEqual(addresses);
  });

  test('IPv6 follows from its prefix', () => {
    const { host6, dns6, prefixLength } = networkOf(settle('ipv6-net=fec1::/48'));
    expect([ipv6Text(host6), ipv6Text(dns6), prefixLength]).toEqual(['fec1::2', 'fec1::3', 48]);
    expect(networkOf(settle('ipv6=off,net=10.0.3.0/24')).hasIpv6).toBe(false);
    expect(networkOf(settle('ipv4=on')).hasIpv6).toBe(false);
  });
});
