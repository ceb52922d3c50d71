import type { PropertiesOf } from '../../devices/properties.ts';
import { bool, int32, onOffAuto, text } from '../../devices/properties.ts';
import type { World } from '../world/world.ts';

/** A file that may be read: what `effects.fileBytes` calls it, and how long it is. */
export interface ServedFile {
  readonly file: string;
  readonly size: number;
}

/** QEMU's options of `-netdev user`, as a person writes them: a text nobody gave is empty. A plain value. */
interface UserNetOptions {
  /** `auto`: unless the other alone is asked for. */
  readonly ipv4: string;
  readonly ipv6: string;
  /** `10.0.2.0`, `10.0.2.0/24` or `10.0.2.0/255.255.255.0`. */
  readonly net: string;
  /** An older word for `net` with a mask of 24 bits. */
  readonly ip: string;
  readonly host: string;
  readonly dns: string;
  readonly dhcpstart: string;
  readonly 'ipv6-net': string;
  readonly 'ipv6-prefix': string;
  readonly 'ipv6-prefixlen': number;
  readonly 'ipv6-host': string;
  readonly 'ipv6-dns': string;
  readonly hostname: string;
  readonly domainname: string;
  /** A line each. */
  readonly dnssearch: string;
  readonly bootfile: string;
  readonly 'tftp-server-name': string;
  readonly tftp: string;
  readonly restrict: boolean;
  /** A line each. */
  readonly guestfwd: string;
  readonly hostfwd: string;
  /** Whom the guest reaches by sockets of the host's: `any`, or `HOST[:PORT]` with + between. */
  readonly live: string;
  readonly world: string;
  readonly smb: string;
  readonly smbserver: string;
}

/** What user networking is made with: its options, and what those name. */
export interface UserNetSetup extends Omit<UserNetOptions, 'world'> {
  /** Files of the folder TFTP serves, by their names below it. */
  readonly served?: Readonly<Record<string, ServedFile>> | undefined;
  /** Who else is there. Absent: nobody. */
  readonly world?: World | undefined;
}

const again = (help: string) => ({ ...text('', help), repeats: true as const });

/** What `-netdev user` takes. */
export const USER_PROPERTIES: PropertiesOf<UserNetOptions> = {
  ipv4: onOffAuto('IPv4'),
  ipv6: onOffAuto('IPv6'),
  net: text('', 'Network of the guest: 10.0.2.0/24'),
  ip: text('', 'Older word for net=ADDRESS/24'),
  host: text('', 'Address of the gateway: 10.0.2.2'),
  dns: text('', 'Address of the resolver: 10.0.2.3'),
  dhcpstart: text('', 'The first of 16 addresses DHCP gives out: 10.0.2.15'),
  'ipv6-net': text('', 'Prefix and its length: fec0::/64'),
  'ipv6-prefix': text('', 'Prefix: fec0::'),
  'ipv6-prefixlen': int32(0, 'Length of the prefix: 64'),
  'ipv6-host': text('', 'Address of the gateway: fec0::2'),
  'ipv6-dns': text('', 'Address of the resolver: fec0::3'),
  hostname: text('', 'Name DHCP gives the guest'),
  domainname: text('', 'Domain of the guest'),
  dnssearch: again('Domain to look for names in; again'),
  bootfile: text('', 'File DHCP says to boot from'),
  'tftp-server-name': text('', 'Server DHCP says to load it from'),
  tftp: text('', 'Folder whose files TFTP serves'),
  restrict: bool(false, 'The guest reaches nobody but the gateway'),
  guestfwd: again('tcp:ADDRESS:PORT-WHERE, which the guest reaches there: builtin:SERVICE or cmd:PROGRAM; again'),
  hostfwd: again('tcp|udp:HOST:PORT-GUEST:PORT, by which the host reaches the guest; again'),
  live: text('', 'any|HOST[:PORT]+HOST..., whom the guest reaches through the host; nobody'),
  world: text('', 'File that says which hosts there are, and what they do'),
  smb: text('', 'Refused: there is no server of shares'),
  smbserver: text('', 'Refused with it'),
};

/** Values of an option that may be given again. */
export const linesOf = (text: string): readonly string[] => (text === '' ? [] : text.split('\n'));
