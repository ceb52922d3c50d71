/** Cards tell everybody where they are. QEMU 7.2: net/announce.c. */
import { octetsText } from '../../base/bytes.ts';
import { ARP_OPERATIONS, buildArp } from '../../packets/arp.ts';
import { buildEthernet, ETHERTYPES } from '../../packets/ethernet.ts';
import { MAIN_LOOP } from '../../events/stamped.ts';
import type { Machine, Part } from '../board/machine.ts';
import type { CallOf } from '../board/pins.ts';
import { isStopped } from '../drives/errors.ts';
import type { Announcement } from '../state.ts';
import { sendPacket } from './wire.ts';

const NS_PER_MS = 1_000_000;

const announcementsOf = (machine: Machine): readonly Announcement[] => machine.state.net?.announcing ?? [];

/** A round of an announcement: qemu_announce_self_once, or none if there are to be none. */
export function announce(machine: Machine, id: string, callOf: CallOf): void {
  const announcement = announcementsOf(machine).find((each) => each.id === id);
  if (announcement === undefined) return;
  const { interfaces, round: before } = announcement;
  if (before > 0) {
    for (const { name, type, part, of } of machine.config.net ?? []) {
      const card = type === 'nic' && of === undefined ? machine.parts.find((each) => each.name === part) : undefined;
      if (card !== undefined) announceCard(machine, { id, name, card, isMeant: isMeant(interfaces, name) }, callOf);
    }
  }
  const round = before - 1;
  if (round > 0) machine.raise({ kind: 'sim:announce_waits', id, round, due: dueOf(machine, announcement, round) });
  else machine.raise({ kind: 'qemu_announce_timer_del', free_named: true, free_timer: true, id });
}

const isMeant = (interfaces: string, name: string): boolean =>
  interfaces === '' || interfaces.split(',').includes(name);

/** When the next round is: QEMU's timers of milliseconds count whole ones. qemu_announce_timer_step. */
function dueOf(machine: Machine, { initial, max, rounds, step }: Announcement, round: number): number {
  const ms = Math.min(initial + (rounds - round - 1) * step, max);
  return (Math.floor(machine.now() / NS_PER_MS) + ms) * NS_PER_MS;
}

interface Announced {
  readonly id: string;
  readonly name: string;
  readonly card: Part;
  readonly isMeant: boolean;
}

/** One card: a question of RARP, to which nobody has an answer. qemu_announce_self_iter. */
function announceCard(asked: Machine, { id, name, card, isMeant: meant }: Announced, callOf: CallOf): void {
  const mac = card.device.mac ?? [];
  const told = { id, name, mac: octetsText(Uint8Array.from(mac)), skip: !meant };
  const machine = asked.after(asked.raise({ kind: 'qemu_announce_self_iter', ...told }));
  if (!meant) return;
  sendPacket(machine, card, { bytes: rarp(mac), isQuiet: true }, callOf);
  card.device.announce?.(machine.stateOf(card), callOf(machine, card));
}

const EVERYBODY = 0xffff_ffff_ffff;
const LEAST = 60;

/** RFC 903, filled up to the least of a frame. */
function rarp(mac: readonly number[]): Uint8Array {
  const source = mac.reduce((sum, octet) => sum * 256 + octet, 0);
  const ends = { senderEthernet: source, senderIpv4: 0, targetEthernet: source, targetIpv4: 0 };
  const payload = buildArp({ operation: ARP_OPERATIONS.REVERSE_REQUEST, ...ends });
  const frame = new Uint8Array(LEAST);
  frame.set(buildEthernet({ destination: EVERYBODY, source, type: ETHERTYPES.RARP, payload }));
  return frame;
}

/** Rounds that are due. False: none was. */
export function announceDue(machine: Machine, callOf: CallOf): boolean {
  if (isStopped(machine)) return false;
  const due = announcementsOf(machine).filter((each) => each.due <= machine.now());
  for (const { id, waits } of due) announce(machine.from(machine.origin.by(MAIN_LOOP).after(waits)), id, callOf);
  return due.length > 0;
}
