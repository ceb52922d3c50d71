import type { World } from '../world/index.ts';

/** A file that may be read: what `effects.fileBytes` calls it, and how long it is. */
export interface ServedFile {
  readonly file: string;
  readonly size: number;
}

/**
 * What user networking is made with: QEMU's options of `-netdev user`, as a person writes them; what nobody said is
 * absent. A plain value.
 */
export interface UserNetSetup {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  /** `10.0.2.0`, `10.0.2.0/24` or `10.0.2.0/255.255.255.0`. */
  readonly net?: string;
  readonly host?: string;
  readonly dns?: string;
  readonly dhcpstart?: string;
  readonly 'ipv6-prefix'?: string;
  readonly 'ipv6-prefixlen'?: number;
  readonly 'ipv6-host'?: string;
  readonly 'ipv6-dns'?: string;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly dnssearch?: readonly string[];
  readonly bootfile?: string;
  readonly 'tftp-server-name'?: string;
  readonly restrict?: boolean;
  readonly guestfwd?: readonly string[];
  readonly hostfwd?: readonly string[];
  /** The folder TFTP serves, if it serves one: its files by their names below it. */
  readonly tftp?: Readonly<Record<string, ServedFile>>;
  /** Who else is there. Absent: nobody. */
  readonly world?: World;
  /** What a packet of a host takes on its way: virtual nanoseconds, and those of each 1,024 bytes. */
  readonly linkHop: number;
  readonly linkKib: number;
}
