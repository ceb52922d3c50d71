import { fact, input, toPart } from './schema.ts';

/** Between which ends a packet goes, by the names `info network` has: a NIC, a backend, a port of a hub. */
const OF_PACKET = { client: 'text', packet: 'u' } as const;

interface OfPacket {
  readonly client: string;
  readonly packet: number;
}

const packetOf = (e: OfPacket): string => `${e.client} packet ${e.packet}`;

/** What net clients do with packets: each is told whole once, when it is sent, and has that number from then on. */
export const NET_FACTS = {
  /**
   * A NIC or a backend hands a packet to its peer. bytes: an Ethernet frame without its check sequence. due: virtual
   * nanosecond at which it arrives there; 0: at once. header: what is left to be done to it, as virtio's header before
   * a packet says that (virtio 1.1, 5.1.6), of ten bytes; none: nothing is.
   */
  'sim:packet_sent': fact(
    { ...OF_PACKET, bytes: 'packet', due: 'u', header: 'bytes' },
    (e) => `${packetOf(e)} ${e.bytes.length} bytes${e.due === 0 ? '' : ` due ${e.due} ns`}`,
  ),
  /** A client takes it. bytes: none where it was sent last, was on its way or waited until then. */
  'sim:packet_delivered': fact({ ...OF_PACKET, len: 'u', bytes: 'packet' }, (e) => `${packetOf(e)} ${e.len} bytes`),
  /**
   * It waits for a client that cannot take it now. refused: it was offered, and no other is until the client asks for
   * more. quiet: its sender does not hear when it is taken. bytes: none where it was sent last, was on its way until
   * then, or waits already.
   */
  'sim:packet_queued': fact(
    { ...OF_PACKET, sender: 'text', refused: 'bool', quiet: 'bool', bytes: 'packet' },
    (e) => `${packetOf(e)} from ${e.sender}${e.refused ? ' refused' : ''}`,
  ),
  /** What waits for a client is offered to it again. */
  'sim:packets_offered': fact({ client: 'text' }, (e) => e.client),
  /** It is gone: client is where it was lost. */
  'sim:packet_dropped': fact({ ...OF_PACKET, why: 'text' }, (e) => `${packetOf(e)} ${e.why}`),
  /** A hub's port takes it: from, the others hand it on. */
  'sim:packet_forwarded': fact({ ...OF_PACKET, hub: 'u', len: 'u' }, (e) => `hub ${e.hub} from ${packetOf(e)}`),
  /** A card is announced, unless somebody wants others alone: QEMU's trace event of 7.2. id: which announcement. */
  qemu_announce_self_iter: fact(
    { id: 'text', name: 'text', mac: 'text', skip: 'bool' },
    (e) => `${e.id}:${e.name}:${e.mac} skip: ${Number(e.skip)}`,
  ),
  /** Cards are announced so often again, at a virtual nanosecond the next time. */
  'sim:announce_waits': fact(
    { id: 'text', round: 'u', due: 'u' },
    (e) => `id ${e.id} round ${e.round} due ${e.due} ns`,
  ),
  /** An announcement is over: QEMU's trace event of 7.2. */
  qemu_announce_timer_del: fact(
    { free_named: 'bool', free_timer: 'bool', id: 'text' },
    (e) => `free named: ${Number(e.free_named)} free timer: ${Number(e.free_timer)} id: ${e.id}`,
  ),
} as const;

/** What the network is given from outside. */
export const NET_INPUTS = {
  /** A frame for a backend that has its packets from outside: Ethernet's, without its check sequence. */
  'sim:frame_received': input(
    { dev: 'text', bytes: 'packet' },
    (e) => `dev ${e.dev} ${e.bytes.length} bytes`,
    toPart('', 'dev'),
  ),
  /**
   * A packet that another machine of the run hands to an interface of this one's Linux, or has from one: bytes and
   * header as `sim:packet_sent` has them.
   */
  'sim:packet_received': input(
    { dev: 'text', bytes: 'packet', header: 'bytes' },
    (e) => `dev ${e.dev} ${e.bytes.length} bytes`,
    toPart('', 'dev'),
  ),
  /**
   * Cards are to be announced, all or those named with commas between: QEMU's `announce_self`. id: another one of this
   * name is over. initial: milliseconds from the first round to the second; step: how many more each time, up to max.
   */
  'sim:announce_asked': input(
    { interfaces: 'text', id: 'text', initial: 'u', max: 'u', rounds: 'u', step: 'u' },
    (e) => `id ${e.id} of ${e.interfaces} rounds ${e.rounds} initial ${e.initial} step ${e.step} max ${e.max}`,
    'network',
  ),
  /** A cable is pulled or plugged: QEMU's `set_link`. */
  'sim:link_set': input({ client: 'text', up: 'bool' }, (e) => `${e.client} ${e.up ? 'on' : 'off'}`, 'network'),
} as const;
