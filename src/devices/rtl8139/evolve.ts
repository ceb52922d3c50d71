/** What facts do to the controller. QEMU 7.2, hw/net/rtl8139.c. */
import { latin1 } from '../../base/bytes.ts';
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer, FactReducers } from '../device.ts';
import type { Width } from './access.ts';
import { endsRing, FIRST, LAST, takenBytes } from './descriptors.ts';
import { BMSR, CAUSE, MOST_DESCRIPTORS, R, SLOTS, TSD } from './registers.ts';
import {
  putRegister,
  registerOf,
  type Rtl8139Registers,
  type Rtl8139Setup,
  type Rtl8139State,
  TIMER,
} from './state.ts';
import { resetNic, writeRegisters } from './writes.ts';

type Nic = Draft<Rtl8139Registers>;

/** Of a controller set up so. */
export const rtl8139Reducer = (setup: Rtl8139Setup): DeviceReducer<Rtl8139State> => ({
  written(nic, { offset, size, value }) {
    writeRegisters(nic, { offset, size: size as Width, value }, setup);
  },
  fired(nic, timer) {
    if (timer === TIMER.timer && nic.isClocked) addCause(nic, CAUSE.timer);
  },
  reset(nic) {
    resetNic(nic, setup);
  },
  facts: { ...receiveFacts, ...transmitFacts, ...otherFacts },
});

function addCause(nic: Nic, cause: number): void {
  putRegister(nic, R.ISR, registerOf(nic, R.ISR) | cause);
}

const KINDS = ['physical', 'multicast', 'broadcast'] as const;

const WIDE = 2 ** 32;
const NARROW = 2 ** 16;

/** A frame is taken by its address, whatever becomes of it. */
function countMatch({ tally }: Nic, to: string): void {
  const kind = KINDS.find((each) => each === to);
  if (kind !== undefined) tally[kind] = kind === 'multicast' ? (tally[kind] + 1) % WIDE : tally[kind] + 1;
}

function countError({ tally }: Nic): void {
  tally.receiveErrors = (tally.receiveErrors + 1) % WIDE;
}

const receiveFacts: FactReducers<Rtl8139State> = {
  'sim:rtl8139_rx_rejected': countError,
  'sim:rtl8139_rx_unplaced'(nic, { to }) {
    countMatch(nic, to);
  },
  'sim:rtl8139_rx_overrun'(nic, { to, lost }) {
    countMatch(nic, to);
    putRegister(nic, R.MPC, (registerOf(nic, R.MPC) + 1) % WIDE);
    addCause(nic, CAUSE.overflow);
    if (!lost) return;
    countError(nic);
    nic.tally.missed = (nic.tally.missed + 1) % NARROW;
  },
  'sim:rtl8139_rx_stored'(nic, { to, end }) {
    countMatch(nic, to);
    nic.ring.write = end;
    addCause(nic, CAUSE.received);
  },
  'sim:rtl8139_rx_descriptor'(nic, { to, index, word0 }) {
    countMatch(nic, to);
    nic.tally.received += 1;
    nic.rxDescriptor = endsRing({ word0 }) ? 0 : index + 1;
    addCause(nic, CAUSE.received);
  },
};

const transmitFacts: FactReducers<Rtl8139State> = {
  'sim:rtl8139_tx_slot'(nic, { slot }) {
    const place = R.TSD + 4 * slot;
    putRegister(nic, place, registerOf(nic, place) | TSD.own | TSD.sent);
    nic.slot = (slot + 1) % SLOTS;
  },
  'sim:rtl8139_tx_descriptor'(nic, { index, word0 }) {
    const { transmission } = nic;
    if ((word0 & FIRST) !== 0) Object.assign(transmission, { size: 0, kept: '' });
    transmission.size += takenBytes({ word0 }, transmission.size);
    nic.txDescriptor = endsRing({ word0 }) ? 0 : (index + 1) % MOST_DESCRIPTORS;
    if ((word0 & LAST) === 0) return;
    Object.assign(transmission, { size: 0, kept: '' });
    nic.tally.sent += 1;
  },
  'sim:rtl8139_tx_kept'(nic, { bytes }) {
    nic.transmission.kept = latin1(bytes);
  },
  'sim:rtl8139_transmitted'(nic, { left }) {
    nic.transmission.left = left;
    addCause(nic, CAUSE.sent);
  },
};

const otherFacts: FactReducers<Rtl8139State> = {
  'sim:rtl8139_timer_begun'(nic, { ns }) {
    nic.timerBase = ns;
  },
  'sim:rtl8139_link'(nic, { up }) {
    nic.isUnplugged = !up;
    const status = registerOf(nic, R.BMSR) & ~BMSR.linkUp;
    putRegister(nic, R.BMSR, up ? status | BMSR.linkUp : status);
    addCause(nic, CAUSE.link);
  },
};
