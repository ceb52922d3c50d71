import { fact, input, toPart } from './schema.ts';

/** Of a user network `dev`: a connection, or a way of datagrams, by its number. Addresses and errnos are the host's. */
const OF_CONNECTION = { dev: 'text', connection: 'u' } as const;
const OF_WAY = { dev: 'text', way: 'u' } as const;

const connectionOf = (e: { readonly dev: string; readonly connection: number }): string =>
  `${e.dev} connection ${e.connection}`;
const wayOf = (e: { readonly dev: string; readonly way: number }): string => `${e.dev} way ${e.way}`;

/** What user networking asks of sockets of the host. Nobody answers but by an input. */
export const USER_LIVE_FACTS = {
  /**
   * `open`: connect to an address and port. `run`: a program by its command line, which `host` is. `more`: so many
   * more bytes may be read. `shut`: nothing more is written. `close`: it is over, whatever was still to come.
   */
  'sim:socket_asked': fact(
    { ...OF_CONNECTION, what: 'text', host: 'text', port: 'u', length: 'u' },
    (e) => `${connectionOf(e)} ${e.what} ${e.host === '' ? e.length : e.port === 0 ? e.host : `${e.host}.${e.port}`}`,
  ),
  /** What was heard of the guest goes to the host: so many bytes. */
  'sim:socket_sent': fact({ ...OF_CONNECTION, length: 'u' }, (e) => `${connectionOf(e)} ${e.length} bytes`),
  /** Who came to a port of the host's is this connection from now on; 0: there is no place. */
  'sim:socket_joined': fact({ ...OF_CONNECTION, visitor: 'u' }, (e) => `${connectionOf(e)} visitor ${e.visitor}`),
  /**
   * Datagrams between a port of the guest's and one of a host's have a way: host is whom the guest knows, to whom it
   * is outside. forward: which rule of `hostfwd=` it came by, counted from 1; 0: by none. at: virtual nanosecond.
   */
  'sim:way_opened': fact(
    {
      ...OF_WAY,
      ...{ guest: 'text', guest_port: 'u', host: 'text', host_port: 'u', to: 'text', forward: 'u', at: 'u' },
    },
    (e) => `${wayOf(e)} ${e.guest}.${e.guest_port} > ${e.host}.${e.host_port}`,
  ),
  /** A datagram of the guest's goes to the host: what lies so far on in the packet that came last. */
  'sim:datagram_sent': fact({ ...OF_WAY, at: 'u', offset: 'u', length: 'u' }, (e) => `${wayOf(e)} ${e.length} bytes`),
  /** It is forgotten: nobody has used it for long, or another needs its place. */
  'sim:way_closed': fact(OF_WAY, wayOf),
  /**
   * A name is asked for that is not the world's. client, port: who asks; resolver: whom. offset: where the query's
   * `length` bytes lie in the packet that came last.
   */
  'sim:name_asked': fact(
    {
      ...{ dev: 'text', query: 'u', name: 'text', type: 'text', client: 'text', port: 'u', resolver: 'text' },
      ...{ offset: 'u', length: 'u' },
    },
    (e) => `${e.dev} query ${e.query} ${e.type} ${e.name}`,
  ),
} as const;

/** What sockets of the host say. */
export const USER_LIVE_INPUTS = {
  /** A connection stands; errno: it does not. */
  'sim:socket_opened': input(
    { ...OF_CONNECTION, errno: 'u' },
    (e) => `${connectionOf(e)}${e.errno === 0 ? '' : ` errno ${e.errno}`}`,
    toPart('', 'dev'),
  ),
  /** Bytes for the guest: no more than it has asked for. */
  'sim:socket_data': input(
    { ...OF_CONNECTION, bytes: 'bytes' },
    (e) => `${connectionOf(e)} ${e.bytes.length} bytes`,
    toPart('', 'dev'),
  ),
  /** So many bytes of the guest's are the host's. */
  'sim:socket_taken': input(
    { ...OF_CONNECTION, length: 'u' },
    (e) => `${connectionOf(e)} ${e.length} bytes`,
    toPart('', 'dev'),
  ),
  /** No more bytes come. */
  'sim:socket_ended': input(OF_CONNECTION, connectionOf, toPart('', 'dev')),
  /** It is gone. */
  'sim:socket_reset': input(
    { ...OF_CONNECTION, errno: 'u' },
    (e) => `${connectionOf(e)} errno ${e.errno}`,
    toPart('', 'dev'),
  ),
  /** Somebody has come to a port of the host's: by which rule of `hostfwd=`, counted from 1, and from where. */
  'sim:socket_accepted': input(
    { dev: 'text', visitor: 'u', forward: 'u', host: 'text', port: 'u' },
    (e) => `${e.dev} visitor ${e.visitor} from ${e.host}.${e.port} by forward ${e.forward}`,
    toPart('', 'dev'),
  ),
  /** A datagram for the guest. */
  'sim:datagram_received': input(
    { ...OF_WAY, bytes: 'bytes' },
    (e) => `${wayOf(e)} ${e.bytes.length} bytes`,
    toPart('', 'dev'),
  ),
  /** The last one came to nothing. */
  'sim:datagram_refused': input({ ...OF_WAY, errno: 'u' }, (e) => `${wayOf(e)} errno ${e.errno}`, toPart('', 'dev')),
  /** A datagram has come to a port of the host's. */
  'sim:datagram_accepted': input(
    { dev: 'text', forward: 'u', host: 'text', port: 'u', bytes: 'bytes' },
    (e) => `${e.dev} from ${e.host}.${e.port} by forward ${e.forward} ${e.bytes.length} bytes`,
    toPart('', 'dev'),
  ),
  /** What a name stands for: addresses with spaces between; errno: nobody knows. */
  'sim:name_found': input(
    { dev: 'text', query: 'u', addresses: 'text', errno: 'u' },
    (e) => `${e.dev} query ${e.query} ${e.errno === 0 ? e.addresses : `errno ${e.errno}`}`,
    toPart('', 'dev'),
  ),
} as const;
