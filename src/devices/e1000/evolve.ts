/** What facts do to the controller. QEMU 7.2, hw/net/e1000.c. */
import type { Draft } from '../../base/draft.ts';
import type { Seq } from '../../base/units.ts';
import type { DeviceReducer, FactReducers } from '../device.ts';
import { type TransmitDescriptor, TX } from './descriptors.ts';
import { latin1 } from '../../base/bytes.ts';
import { eecdWritten } from './eeprom.ts';
import { addCause, setCause } from './interrupts.ts';
import { linkFound, linkLost, MDIC, mdicCommand, negotiated } from './phy.ts';
import { ringAfter, runsLow } from './rings.ts';
import { accessOf, CAUSE, R, RCTL, STATUS, TCTL } from './registers.ts';
import {
  type E1000Registers,
  type E1000Setup,
  type E1000State,
  negotiatesAnew,
  putRegister,
  registerOf,
  registersAtReset,
  tagging,
  TIMER,
} from './state.ts';
import { count, countDestination, countReceived, countSent } from './statistics.ts';
import { endsCut, type Steps, transmit } from './transmission.ts';

type Nic = Draft<E1000Registers>;

const REGISTERS = 0;

const aligned = (offset: number): number => offset - (offset % 4);

/** Of a controller set up so. */
export const e1000Reducer = (setup: E1000Setup): DeviceReducer<E1000State> => ({
  written(nic, { region, offset, value }, { seq }) {
    if (region === REGISTERS) write({ setup, seq }, nic, aligned(offset), value);
  },
  taken(nic, { offset }) {
    take(setup, nic, aligned(offset));
  },
  fired(nic, timer) {
    if (timer === TIMER.flush) nic.isWaiting = false;
    if (timer !== TIMER.mitigation) return;
    const { since } = nic.mitigation;
    nic.mitigation.delay = 0;
    addCause(nic, 0, setup.mitigation);
    if (nic.mitigation.isRaised) nic.mitigation.since = since;
  },
  reset(nic) {
    Object.assign(nic, registersAtReset(setup));
    if (nic.isUnplugged) linkDown(nic);
  },
  facts: { ...linkFacts(setup), ...receiveFacts(setup), ...transmitFacts(setup) },
});

/** A fact: of which controller, and its number. */
interface At {
  readonly setup: E1000Setup;
  readonly seq: Seq;
}

function write(at: At, nic: Nic, offset: number, value: number): void {
  const { setup, seq } = at;
  const { write: kind } = accessOf(offset, setup);
  switch (kind) {
    case undefined:
      return;
    case 'EECD':
      eecdWritten(nic.eeprom, value);
      return;
    case 'MDIC':
      writeMdic(at, nic, value);
      return;
    case 'TCTL':
    case 'TDT':
      putRegister(nic, offset, kind === 'TDT' ? value & 0xffff : value);
      beginTransmission(nic);
      return;
    case 'ICR':
      setCause(nic, registerOf(nic, R.ICR) & ~value, setup.mitigation, seq);
      return;
    case 'ICS':
      addCause(nic, value, setup.mitigation, seq);
      return;
    case 'IMS':
    case 'IMC':
      writeMask(nic, kind === 'IMS' ? registerOf(nic, R.IMS) | value : registerOf(nic, R.IMS) & ~value);
      addCause(nic, 0, setup.mitigation, seq);
      return;
    default:
      putRegister(nic, offset, (value & kind) >>> 0);
      if (offset === R.RCTL) nic.isWaiting = true;
  }
}

const writeMask = (nic: Nic, mask: number): void => putRegister(nic, R.IMS, mask >>> 0);

function writeMdic({ setup, seq }: At, nic: Nic, value: number): void {
  const shown = mdicCommand(nic.phy, registerOf(nic, R.MDIC), value);
  putRegister(nic, R.MDIC, shown);
  if ((shown & MDIC.interrupt) !== 0) addCause(nic, CAUSE.mdac, setup.mitigation, seq);
}

/** Descriptors are looked at now, if nobody is at it already. */
function beginTransmission(nic: Nic): void {
  const { transmission } = nic;
  if ((registerOf(nic, R.TCTL) & TCTL.enable) === 0 || transmission.start >= 0) return;
  transmission.start = registerOf(nic, R.TDH);
  transmission.cause = CAUSE.txqe;
}

function take(setup: E1000Setup, nic: Nic, offset: number): void {
  const { read: kind } = accessOf(offset, setup);
  if (kind === 'ICR') {
    setCause(nic, 0, setup.mitigation);
    return;
  }
  putRegister(nic, offset, 0);
  if (kind === 'clear pair') putRegister(nic, offset - 4, 0);
}

function linkDown(nic: Nic): void {
  putRegister(nic, R.STATUS, (registerOf(nic, R.STATUS) & ~STATUS.linkUp) >>> 0);
  linkLost(nic.phy);
}

function linkUp(nic: Nic): void {
  putRegister(nic, R.STATUS, (registerOf(nic, R.STATUS) | STATUS.linkUp) >>> 0);
  linkFound(nic.phy);
}

const linkFacts = (setup: E1000Setup): FactReducers<E1000State> => ({
  'sim:e1000_link'(nic, { up }) {
    nic.isUnplugged = !up;
    if (!up) linkDown(nic);
    else if (!negotiatesAnew(setup, nic)) linkUp(nic);
  },
  e1000x_link_negotiation_start(nic) {
    linkDown(nic);
  },
  e1000x_link_negotiation_done(nic) {
    linkUp(nic);
    negotiated(nic.phy);
  },
  'sim:e1000_cause'(nic, { icr: cause }, { seq }) {
    addCause(nic, cause, setup.mitigation, seq);
  },
});

const receiveFacts = (setup: E1000Setup): FactReducers<E1000State> => ({
  e1000x_rx_oversized(nic) {
    count(nic, R.ROC);
  },
  e1000_receiver_overrun(nic, _, { seq }) {
    count(nic, R.RNBC);
    count(nic, R.MPC);
    addCause(nic, CAUSE.rxo, setup.mitigation, seq);
  },
  'sim:e1000_group_taken'(nic, { broadcast }) {
    count(nic, broadcast ? R.BPRC : R.MPRC);
  },
  'sim:e1000_rx_descriptor'(nic, { index }) {
    putRegister(nic, R.RDH, ringAfter(nic, R.RDLEN, index));
  },
  'sim:e1000_received'(nic, { octets }, { seq }) {
    const fcs = (registerOf(nic, R.RCTL) & RCTL.stripCrc) === 0 ? 4 : 0;
    countReceived(nic, octets, octets + fcs);
    addCause(nic, CAUSE.rxt0 | (runsLow(nic) ? CAUSE.rxdmt0 : 0), setup.mitigation, seq);
  },
});

const transmitFacts = (setup: E1000Setup): FactReducers<E1000State> => ({
  'sim:e1000_tx_descriptor'(nic, { index, low, high, lower, upper }) {
    const { transmission, mitigation } = nic;
    const descriptor: TransmitDescriptor = { low, high, lower, upper };
    transmit(transmission, descriptor, tagging(nic), counting(nic));
    if ((lower & TX.delayed) !== 0) mitigation.isDelayed = true;
    if ((lower & (TX.report | TX.reportSent)) !== 0) transmission.cause |= CAUSE.txdw;
    putRegister(nic, R.TDH, ringAfter(nic, R.TDLEN, index));
  },
  'sim:e1000_tx_kept'(nic, { bytes }) {
    nic.transmission.kept = latin1(bytes);
  },
  'sim:e1000_transmitted'(nic, _, { seq }) {
    addCause(nic, nic.transmission.cause, setup.mitigation, seq);
    Object.assign(nic.transmission, { start: -1, cause: 0 });
  },
  'sim:e1000_looped'(nic, { bytes }) {
    countDestination(nic, bytes);
  },
  'sim:packet_sent'(nic, { bytes }) {
    // What announces it is not its own work.
    if (nic.transmission.start >= 0) countDestination(nic, bytes);
  },
});

const TAG_BYTES = 4;

const nothing = (): void => undefined;

/** What is sent is counted. */
const counting = (nic: Nic): Steps => ({
  read: nothing,
  header: nothing,
  next: nothing,
  clear: nothing,
  send() {
    const { size, tag } = nic.transmission;
    if (endsCut(nic.transmission)) count(nic, R.TSCTC);
    countSent(nic, size, size + (tag < 0 ? 0 : TAG_BYTES));
  },
});
