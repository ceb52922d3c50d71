import { fact } from './schema.ts';

/** A tap, by its net client. */
const OF_TAP = { client: 'text' } as const;
/** A bridge, by the name its interface has. */
const OF_BRIDGE = { bridge: 'text' } as const;

/** What the modelled Linux of the host does with packets: its taps and its bridges. */
export const LINUX_NET_FACTS = {
  /** QEMU asks something of a tap's file descriptor. arg: flags, bytes, a length, as the ioctl takes them. */
  'sim:tap_ioctl': fact({ ...OF_TAP, cmd: 'text', arg: 'u' }, (e) => `${e.client} ${e.cmd} 0x${e.arg.toString(16)}`),
  /** A script or helper is run that makes a tap's interface a port of a bridge; empty: of none. */
  'sim:script_run': fact(
    { ...OF_TAP, path: 'text', ifname: 'text', bridge: 'text' },
    (e) => `${e.client} ${e.path} ${e.ifname}${e.bridge === '' ? '' : ` ${e.bridge}`}`,
  ),
  /** A frame waits in a tap's queue for whoever reads that. bytes: none where they are those it was sent with. */
  'sim:tap_queued': fact(
    { ...OF_TAP, packet: 'u', len: 'u', header: 'bytes', bytes: 'packet' },
    (e) => `${e.client} packet ${e.packet} ${e.len} bytes`,
  ),
  /** The kernel has cut it into so many packets that a tap's reader, or a device, can take. */
  'sim:packet_cut': fact(
    { ...OF_TAP, packet: 'u', pieces: 'u' },
    (e) => `${e.client} packet ${e.packet} into ${e.pieces}`,
  ),
  /** Somebody has read it from the tap. */
  'sim:tap_read': fact({ ...OF_TAP, packet: 'u', len: 'u' }, (e) => `${e.client} packet ${e.packet} ${e.len} bytes`),
  /**
   * QEMU has written a frame of a conversation to this queue of a tap, so that what comes back goes there, until a
   * virtual nanosecond. hash: of the conversation.
   */
  'sim:tap_flow': fact(
    { ...OF_TAP, hash: 'u', until: 'u' },
    (e) => `${e.client} hash 0x${e.hash.toString(16).padStart(8, '0')} until ${e.until} ns`,
  ),
  /** The main loop looks whether there is something to be read, or does so no more. */
  'sim:tap_poll': fact({ ...OF_TAP, on: 'bool' }, (e) => `${e.client} ${e.on ? 'on' : 'off'}`),
  /** A bridge learns where an address is. at: virtual nanosecond. */
  'sim:bridge_learned': fact(
    { ...OF_BRIDGE, mac: 'text', port: 'text', at: 'u' },
    (e) => `${e.bridge} ${e.mac} dev ${e.port}`,
  ),
  /** It has moved. */
  'sim:bridge_moved': fact(
    { ...OF_BRIDGE, mac: 'text', port: 'text', from: 'text', at: 'u' },
    (e) => `${e.bridge} ${e.mac} dev ${e.port} from ${e.from}`,
  ),
  /** Nothing was heard of it for so long that it is forgotten. */
  'sim:bridge_aged': fact({ ...OF_BRIDGE, mac: 'text', port: 'text' }, (e) => `${e.bridge} ${e.mac} dev ${e.port}`),
  /**
   * What a port knows of the spanning tree has changed. Identifiers of bridges are eight bytes, as digits. heard:
   * virtual nanosecond at which the root said it.
   */
  'sim:bridge_port': fact(
    {
      ...{ ...OF_BRIDGE, ifname: 'text', state: 'text', root: 'text', cost: 'u', designated: 'text', port: 'u' },
      ...{ heard: 'i', ack: 'bool', pending: 'bool' },
    },
    (e) => `${e.bridge} ${e.ifname} ${e.state} root ${e.root} cost ${e.cost} designated ${e.designated} port ${e.port}`,
  ),
  /** What a bridge knows of it. port: towards the root; empty: the bridge is that. */
  'sim:bridge_tree': fact(
    {
      ...{ ...OF_BRIDGE, root: 'text', cost: 'u', port: 'text', maxAge: 'u', hello: 'u', forwardDelay: 'u' },
      ...{ change: 'bool', changeSeen: 'bool' },
    },
    (e) => `${e.bridge} root ${e.root} cost ${e.cost} port ${e.port === '' ? 'none' : e.port}`,
  ),
  /**
   * A bridge has decided about a packet that came in at a port. to: the ports it goes out at, where it is at virtual
   * nanosecond `due`; how: why these. at: virtual nanosecond now. until: when the bridge has time for another.
   */
  'sim:bridge_forwarded': fact(
    {
      ...{ ...OF_BRIDGE, packet: 'u', from: 'text', to: 'text', how: 'text', mac: 'text', len: 'u' },
      ...{ at: 'u', until: 'u', due: 'u' },
    },
    (e) => `${e.bridge} packet ${e.packet} ${e.from} > ${e.to === '' ? 'nobody' : e.to} ${e.how}`,
  ),
} as const;
