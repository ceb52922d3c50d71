/** What the controller does by itself. QEMU 7.2, hw/net/e1000.c. */
import type { Effects, Packet } from '../device.ts';
import { isBusMaster, PCI } from '../pci/index.ts';
import { eecdValue, eerdValue } from './eeprom.ts';
import { driveInterrupt } from './interrupts.ts';
import { BMCR, PHY, writesPhy } from './phy.ts';
import { isEnabled, isLinkUp, receive } from './receive.ts';
import { accessOf, CAUSE, R } from './registers.ts';
import { hasRoom } from './rings.ts';
import {
  type E1000Setup,
  type E1000State,
  hasAutonegotiation,
  macBytes,
  negotiatesAnew,
  registerOf,
  TIMER,
  TIMERS,
} from './state.ts';
import { transmitAll } from './transmit.ts';

const MS = 1_000_000;

/** The controller that is set up so, with what its EEPROM holds. */
export interface Controller {
  readonly setup: E1000Setup;
  readonly eeprom: readonly number[];
}

export function readRegister({ setup, eeprom }: Controller, nic: E1000State, at: number, effects: Effects): number {
  const offset = at - (at % 4);
  const { read: kind } = accessOf(offset, setup);
  const value = registerOf(nic, offset);
  switch (kind) {
    case undefined:
      return 0;
    case 'plain':
      return value;
    case 'EECD':
      return eecdValue(eeprom, nic.eeprom);
    case 'EERD':
      return eerdValue(eeprom, value);
    case 'clear':
    case 'clear pair':
      if (value !== 0 || (kind === 'clear pair' && registerOf(nic, offset - 4) !== 0)) effects.commit();
      return value;
    case 'ICR':
      if (value === 0) return 0;
      effects.commit();
      driveInterrupt(nic, effects);
      return value;
    default:
      return value & kind;
  }
}

export function writeRegister(
  { setup }: Controller,
  nic: E1000State,
  at: number,
  value: number,
  effects: Effects,
): void {
  const wasIdle = nic.transmission.start < 0;
  effects.commit();
  switch (accessOf(at - (at % 4), setup).write) {
    case undefined:
      return;
    case 'TCTL':
    case 'TDT':
      kick(nic, wasIdle, effects);
      return;
    case 'MDIC':
      if (restarts(setup, nic, value)) negotiate(effects);
      driveInterrupt(nic, effects);
      return;
    case 'ICR':
    case 'ICS':
    case 'IMS':
    case 'IMC':
      driveInterrupt(nic, effects);
      return;
    default:
      if (at === R.RCTL) effects.arm(TIMER.flush, inMs(effects, 1000));
      if (at === R.RDT && hasRoom(nic, 1)) effects.takePackets();
  }
}

/** QEMU's timers of milliseconds count whole ones. */
const inMs = ({ now }: Effects, ms: number): number => (Math.floor(now / MS) + ms) * MS;

/** Descriptors are there. Work that rests goes on; work under way, of which this is part, has an end of its own. */
function kick(nic: E1000State, wasIdle: boolean, effects: Effects): void {
  const isResting = effects.deadline(TIMER.transmit) !== undefined;
  if (nic.transmission.start < 0 || !(wasIdle || isResting)) return;
  if (isResting) effects.cancel(TIMER.transmit);
  transmitAll(nic, effects);
}

const restarts = (setup: E1000Setup, nic: E1000State, value: number): boolean =>
  writesPhy(value, PHY.control) && (value & BMCR.restart) !== 0 && hasAutonegotiation(setup, nic);

function negotiate(effects: Effects): void {
  effects.raise({ kind: 'e1000x_link_negotiation_start', dev: effects.name });
  effects.arm(TIMER.autonegotiation, inMs(effects, 500));
}

function addCause(nic: E1000State, cause: number, effects: Effects): void {
  effects.raise({ kind: 'sim:e1000_cause', dev: effects.name, icr: cause });
  driveInterrupt(nic, effects);
}

export function expireTimer(nic: E1000State, timer: string, effects: Effects): void {
  if (timer === TIMER.mitigation) driveInterrupt(nic, effects, nic.mitigation.since);
  else if (timer === TIMER.flush) effects.takePackets();
  else if (timer === TIMER.transmit) transmitAll(nic, effects);
  else if (!nic.isUnplugged) {
    effects.raise({ kind: 'e1000x_link_negotiation_done', dev: effects.name });
    effects.takePackets();
    addCause(nic, CAUSE.lsc, effects);
  }
}

/** Somebody pulled the cable, or plugged it. */
export function setLink(setup: E1000Setup, nic: E1000State, up: boolean, effects: Effects): void {
  const wasUp = isLinkUp(nic);
  const negotiates = up && negotiatesAnew(setup, nic);
  effects.raise({ kind: 'sim:e1000_link', dev: effects.name, up });
  if (negotiates) negotiate(effects);
  else if (up) effects.takePackets();
  if (isLinkUp(nic) !== wasUp) addCause(nic, CAUSE.lsc, effects);
}

export function receivePacket(nic: E1000State, packet: Packet, effects: Effects): boolean {
  if (isLinkUp(nic) && isEnabled(nic) && nic.isWaiting) return false;
  effects.commit();
  const why = receive(nic, packet.bytes, effects);
  if (why !== undefined) effects.dropPacket(packet, why);
  return true;
}

export function reset(setup: E1000Setup, effects: Effects): void {
  effects.commit();
  for (const timer of TIMERS) effects.cancel(timer);
  indicateMac(setup, effects);
}

export function indicateMac(setup: E1000Setup, effects: Effects): void {
  effects.raise({ kind: 'e1000x_mac_indicate', dev: effects.name, mac: Uint8Array.from(macBytes(setup)) });
}

/** A driver that lets the controller reach memory gets what waits. */
export function configWritten(nic: E1000State, offset: number, size: number, effects: Effects): void {
  if (offset <= PCI.command && offset + size > PCI.command && isBusMaster(nic)) effects.takePackets();
}
