import { fact, hex } from './schema.ts';

const OF_DEVICE = { dev: 'text' } as const;

/** Why a frame was taken: `physical`, `multicast`, `broadcast`, or `any` where all are. */
const TAKEN = { ...OF_DEVICE, to: 'text' } as const;

/** What an RTL8139 does. QEMU has no trace events of it. */
export const RTL8139_EVENTS = {
  /** A frame is not for it. */
  'sim:rtl8139_rx_rejected': fact(OF_DEVICE, (e) => `dev ${e.dev}`),
  /** A frame is for a ring of descriptors, and there is none. */
  'sim:rtl8139_rx_unplaced': fact(TAKEN, (e) => `dev ${e.dev} ${e.to}`),
  /** There is no place for a frame. lost: it does not wait for one. */
  'sim:rtl8139_rx_overrun': fact({ ...TAKEN, lost: 'bool' }, (e) => `dev ${e.dev} ${e.to}${e.lost ? ' lost' : ''}`),
  /**
   * A frame of size bytes is in the ring of the C mode. len of them are at gpa, others at the ring's beginning. end:
   * where the next goes.
   */
  'sim:rtl8139_rx_stored': fact(
    { ...TAKEN, gpa: 'u', len: 'u', size: 'u', end: 'u' },
    (e) => `dev ${e.dev} ${e.to} gpa 0x${hex(e.gpa)} size ${e.size} end ${e.end}`,
  ),
  /** A descriptor of the C+ mode is filled: len bytes at gpa with the FCS, and its first words. */
  'sim:rtl8139_rx_descriptor': fact(
    { ...TAKEN, index: 'u', gpa: 'u64', len: 'u', word0: 'u', word1: 'u' },
    (e) => `dev ${e.dev} ${e.to} index ${e.index} gpa 0x${hex(e.gpa)} len ${e.len} 0x${hex(e.word0)} 0x${hex(e.word1)}`,
  ),
  /** The frame of a slot of the C mode goes out: len bytes from gpa on. */
  'sim:rtl8139_tx_slot': fact(
    { ...OF_DEVICE, slot: 'u', gpa: 'u', len: 'u' },
    (e) => `dev ${e.dev} slot ${e.slot} gpa 0x${hex(e.gpa)} len ${e.len}`,
  ),
  /** A descriptor of the C+ mode is the controller's: its four words. */
  'sim:rtl8139_tx_descriptor': fact(
    { ...OF_DEVICE, index: 'u', word0: 'u', word1: 'u', low: 'u', high: 'u' },
    (e) => `dev ${e.dev} index ${e.index} 0x${hex(e.high)}:0x${hex(e.low)} 0x${hex(e.word0)} 0x${hex(e.word1)}`,
  ),
  /** The ring ended, and there are so many bytes of a packet that is not whole. */
  'sim:rtl8139_tx_kept': fact({ ...OF_DEVICE, bytes: 'bytes' }, (e) => `dev ${e.dev} ${e.bytes.length} bytes`),
  /** What there was to be sent is sent. left: descriptors it has still to look at. */
  'sim:rtl8139_transmitted': fact(
    { ...OF_DEVICE, left: 'u' },
    (e) => `dev ${e.dev}${e.left === 0 ? '' : ` left ${e.left}`}`,
  ),
  /** A frame comes back instead of going out. */
  'sim:rtl8139_looped': fact({ ...OF_DEVICE, bytes: 'bytes' }, (e) => `dev ${e.dev} ${e.bytes.length} bytes`),
  /** The counters as they are written to memory. */
  'sim:rtl8139_tally_told': fact(
    {
      ...{ ...OF_DEVICE, sent: 'u', received: 'u', receiveErrors: 'u', missed: 'u' },
      ...{ physical: 'u', broadcast: 'u', multicast: 'u' },
    },
    (e) =>
      `dev ${e.dev} sent ${e.sent} received ${e.received} errors ${e.receiveErrors} missed ${e.missed} ` +
      `physical ${e.physical} broadcast ${e.broadcast} multicast ${e.multicast}`,
  ),
  /** Its timer counts from now on. */
  'sim:rtl8139_timer_begun': fact({ ...OF_DEVICE, ns: 'u' }, (e) => `dev ${e.dev} ${e.ns} ns`),
  /** The cable is pulled or plugged. */
  'sim:rtl8139_link': fact({ ...OF_DEVICE, up: 'bool' }, (e) => `dev ${e.dev} ${e.up ? 'on' : 'off'}`),
} as const;
