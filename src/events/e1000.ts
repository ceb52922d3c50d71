import { octetsText } from '../base/bytes.ts';
import { fact, hex } from './schema.ts';

const OF_DEVICE = { dev: 'text' } as const;

/** What an 82540EM does: QEMU's trace events of 7.2, and what it does not trace. */
export const E1000_EVENTS = {
  e1000x_mac_indicate: fact({ ...OF_DEVICE, mac: 'bytes' }, (e) => `Indicating MAC to guest: ${octetsText(e.mac)}`),
  e1000x_link_negotiation_start: fact(OF_DEVICE, () => 'Start link auto negotiation'),
  e1000x_link_negotiation_done: fact(OF_DEVICE, () => 'Auto negotiation is completed'),
  e1000x_rx_link_down: fact(
    { ...OF_DEVICE, status: 'u' },
    (e) => `Received packet dropped because the link is down STATUS = ${e.status}`,
  ),
  e1000x_rx_disabled: fact(
    { ...OF_DEVICE, rctl: 'u' },
    (e) => `Received packet dropped because receive is disabled RCTL = ${e.rctl}`,
  ),
  e1000x_rx_oversized: fact(
    { ...OF_DEVICE, size: 'u' },
    (e) => `Received packet dropped because it was oversized (${e.size} bytes)`,
  ),
  e1000x_rx_flt_ucast_match: fact(
    { ...OF_DEVICE, idx: 'u', mac: 'bytes' },
    (e) => `unicast match[${e.idx}]: ${octetsText(e.mac)}`,
  ),
  e1000x_rx_flt_ucast_mismatch: fact({ ...OF_DEVICE, mac: 'bytes' }, (e) => `unicast mismatch: ${octetsText(e.mac)}`),
  e1000x_rx_flt_inexact_mismatch: fact(
    { ...OF_DEVICE, mac: 'bytes', mo: 'u', mta: 'u', value: 'u' },
    (e) => `inexact mismatch: ${octetsText(e.mac)} MO ${e.mo} MTA[${e.mta}] 0x${hex(e.value)}`,
  ),
  /** s: bytes with the check sequence. */
  e1000_receiver_overrun: fact(
    { ...OF_DEVICE, s: 'u', rdh: 'u', rdt: 'u' },
    (e) => `Receiver overrun: dropped packet of ${e.s} bytes, RDH=${e.rdh}, RDT=${e.rdt}`,
  ),
  /** A frame is taken because all broadcasts are, or all multicasts, or those of a table. */
  'sim:e1000_group_taken': fact(
    { ...OF_DEVICE, broadcast: 'bool' },
    (e) => `dev ${e.dev} ${e.broadcast ? 'broadcast' : 'multicast'}`,
  ),
  /** A descriptor of the receive ring is filled: len bytes at gpa, of which the last four may be those of the FCS. */
  'sim:e1000_rx_descriptor': fact(
    { ...OF_DEVICE, index: 'u', gpa: 'u64', len: 'u', status: 'u', special: 'u' },
    (e) => `dev ${e.dev} index ${e.index} gpa 0x${hex(e.gpa)} len ${e.len} status 0x${hex(e.status)}`,
  ),
  /** A frame is in memory. octets: without check sequence, and without a tag that was taken out. */
  'sim:e1000_received': fact({ ...OF_DEVICE, octets: 'u' }, (e) => `dev ${e.dev} ${e.octets} bytes`),
  /** A descriptor of the transmit ring is the controller's: its four words. */
  'sim:e1000_tx_descriptor': fact(
    { ...OF_DEVICE, index: 'u', low: 'u', high: 'u', lower: 'u', upper: 'u' },
    (e) => `dev ${e.dev} index ${e.index} 0x${hex(e.high)}:0x${hex(e.low)} 0x${hex(e.lower)} 0x${hex(e.upper)}`,
  ),
  /** The ring ended, and there are so many bytes of a packet that is not whole. */
  'sim:e1000_tx_kept': fact({ ...OF_DEVICE, bytes: 'bytes' }, (e) => `dev ${e.dev} ${e.bytes.length} bytes`),
  /** What was in the transmit ring is done. */
  'sim:e1000_transmitted': fact(OF_DEVICE, (e) => `dev ${e.dev}`),
  /** A frame comes back from the PHY instead of going out. */
  'sim:e1000_looped': fact({ ...OF_DEVICE, bytes: 'bytes' }, (e) => `dev ${e.dev} ${e.bytes.length} bytes`),
  /** A cause of an interrupt that no register access was. */
  'sim:e1000_cause': fact({ ...OF_DEVICE, icr: 'u' }, (e) => `dev ${e.dev} 0x${hex(e.icr)}`),
  /** The cable is pulled or plugged. */
  'sim:e1000_link': fact({ ...OF_DEVICE, up: 'bool' }, (e) => `dev ${e.dev} ${e.up ? 'on' : 'off'}`),
} as const;
