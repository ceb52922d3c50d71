/** Where the wire of a backend goes on, as the options of `-netdev stream`, `dgram` and `socket` say it. */
import { Problem, shortly } from '../../base/problem.ts';
import { ipv4Of } from '../../packets/addresses.ts';

/** An address of the host's network: a name or digits. */
export interface InetPlace {
  readonly host: string;
  readonly port: number;
}

/** Whoever is at the other end, or comes there: at a port, at a path of a unix socket, or by an open descriptor. */
export type SocketPlace = InetPlace | { readonly path: string } | { readonly fd: number };

/**
 * How frames are carried. `listen`, `connect`: by a connection, with four bytes of its length before each.
 * `datagrams`: each in one, to `remote`, from whoever sends to `local`. `group`: each to a group of the host's network,
 * by that one of its interfaces which has the address `own`. `tap`: by an interface of the host's kernel.
 */
export type Outside =
  | { readonly by: 'listen' | 'connect'; readonly at: SocketPlace }
  | { readonly by: 'datagrams'; readonly local: InetPlace; readonly remote: InetPlace }
  | { readonly by: 'group'; readonly group: InetPlace; readonly own: string | undefined }
  | { readonly by: 'tap'; readonly fd: number };

const MOST_PORT = 0xffff;

/** More than any process has open. */
const MOST_FD = 0xf_ffff;

/** A number in digits up to `most`. `said`: how a complaint begins. */
function numberOf(said: string, what: string, digits: string, most: number): number {
  const number = /^\d{1,7}$/.test(digits) ? Number(digits) : Number.NaN;
  if (number <= most) return number;
  throw new Problem(`${said}: ${what} is a number from 0 to ${most}, not ${shortly(digits)}.`);
}

export const descriptorOf = (said: string, what: string, digits: string): number =>
  numberOf(said, what, digits, MOST_FD);

/** `HOST:PORT`; without a host any of this one's addresses. */
export function hostPortOf(said: string, what: string, text: string): InetPlace {
  const colon = text.lastIndexOf(':');
  if (colon < 0) throw new Problem(`${said}: ${what}=${shortly(text)} has no port: write HOST:PORT.`);
  const host = text.slice(0, colon);
  return {
    host: host === '' ? '0.0.0.0' : host,
    port: numberOf(said, `the port of ${what}`, text.slice(colon + 1), MOST_PORT),
  };
}

/** Whether a host is a group's address of IPv4. */
export function isGroup({ host }: InetPlace): boolean {
  const address = ipv4Of(host);
  return address !== undefined && address >>> 28 === 0xe;
}

const FIELDS = { inet: ['host', 'port'], unix: ['path'], fd: ['str'] } as const;

type Values = Readonly<Record<string, unknown>>;

/**
 * QEMU's SocketAddress, as `KEY.type=` and what belongs to that say it; undefined: nobody says one. Throws a Problem
 * for one that is incomplete.
 */
export function addressOf(said: string, key: string, values: Values): SocketPlace | undefined {
  const of = (name: string): string => String(values[`${key}.${name}`] ?? '');
  const type = of('type');
  const given = Object.values(FIELDS)
    .flat()
    .filter((name) => of(name) !== '');
  if (type === '') {
    if (given.length === 0) return undefined;
    throw new Problem(`${said}: ${key}.${given[0]} needs ${key}.type= of inet, unix or fd.`);
  }
  if (!Object.hasOwn(FIELDS, type)) {
    throw new Problem(`${said}: ${key}.type=${shortly(type)} is none of inet, unix and fd.`);
  }
  const names: readonly string[] = FIELDS[type as keyof typeof FIELDS];
  const missing = names.find((name) => of(name) === '');
  if (missing !== undefined) throw new Problem(`${said}: ${key}.type=${type} needs ${key}.${missing}=.`);
  const stranger = given.find((name) => !names.includes(name));
  if (stranger !== undefined) throw new Problem(`${said}: ${key}.type=${type} has no ${key}.${stranger}.`);
  if (type === 'unix') return { path: of('path') };
  if (type === 'fd') return { fd: descriptorOf(said, `${key}.str`, of('str')) };
  return { host: of('host'), port: numberOf(said, `${key}.port`, of('port'), MOST_PORT) };
}
