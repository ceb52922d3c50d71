import { fact } from './schema.ts';

/** Addresses are text, as people write them: of Ethernet, IPv4 and IPv6. */
const OF_CLIENT = { dev: 'text', client: 'text', port: 'u' } as const;

/** What user networking does: QEMU's libslirp, with the hosts of its world inside. */
export const USER_NET_EVENTS = {
  /** It has heard where somebody is on the link. */
  'sim:neighbor_learned': fact(
    { dev: 'text', address: 'text', ethernet: 'text' },
    (e) => `${e.dev} ${e.address} is at ${e.ethernet}`,
  ),
  /** DHCP gives an address out. place: how far it is from the first. answer: what it is told by. */
  'sim:dhcp_leased': fact(
    { dev: 'text', place: 'u', address: 'text', ethernet: 'text', answer: 'text' },
    (e) => `${e.dev} ${e.answer} ${e.address} to ${e.ethernet}`,
  ),
  /** It has none for somebody. address: what was asked for. */
  'sim:dhcp_refused': fact(
    { dev: 'text', address: 'text', ethernet: 'text' },
    (e) => `${e.dev} ${e.address} to ${e.ethernet}`,
  ),
  /**
   * A part of a datagram waits for the others. at: virtual nanosecond. begins: where its header of IPv4 lies in the
   * packet that came last, of `header` bytes, and behind it `len` of the datagram.
   */
  'sim:fragment_kept': fact(
    {
      ...{ dev: 'text', source: 'text', destination: 'text', protocol: 'u', id: 'u', offset: 'u', more: 'bool' },
      ...{ at: 'u', begins: 'u', header: 'u', len: 'u' },
    },
    (e) => `${e.dev} ${e.source} to ${e.destination} id ${e.id} offset ${e.offset} ${e.len} bytes`,
  ),
  /** A datagram's parts are together: they wait no more, and are the packet that came last. */
  'sim:fragments_over': fact(
    { dev: 'text', source: 'text', destination: 'text', protocol: 'u', id: 'u', len: 'u' },
    (e) => `${e.dev} ${e.source} to ${e.destination} id ${e.id} ${e.len} bytes`,
  ),
  /** A name was asked for. answer: what it stands for, or why there is none. */
  'sim:name_resolved': fact(
    { dev: 'text', name: 'text', type: 'text', answer: 'text' },
    (e) => `${e.dev} ${e.type} ${e.name} is ${e.answer}`,
  ),
  /** Somebody reads a file by TFTP. at: virtual nanosecond. */
  'sim:tftp_opened': fact(
    { ...OF_CLIENT, place: 'u', file: 'text', block_size: 'u', at: 'u' },
    (e) => `${e.dev} ${e.file} to ${e.client} port ${e.port}`,
  ),
  /** A block of it goes. */
  'sim:tftp_sent': fact(
    { ...OF_CLIENT, block: 'u', len: 'u', at: 'u' },
    (e) => `${e.dev} block ${e.block} to ${e.client} port ${e.port} ${e.len} bytes`,
  ),
  /** It has gone whole, or somebody gave up. */
  'sim:tftp_closed': fact({ ...OF_CLIENT }, (e) => `${e.dev} to ${e.client} port ${e.port}`),
  /** A packet of IP waits until somebody says where its destination is. until: virtual nanosecond. */
  'sim:packet_unresolved': fact(
    { dev: 'text', address: 'text', bytes: 'bytes', until: 'u' },
    (e) => `${e.dev} ${e.address} ${e.bytes.length} bytes`,
  ),
  /** What waited for an address is sent, or is too old. */
  'sim:packets_resolved': fact({ dev: 'text', address: 'text' }, (e) => `${e.dev} ${e.address}`),
} as const;
