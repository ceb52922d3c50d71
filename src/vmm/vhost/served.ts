/** A ring the kernel serves, as its worker finds it; what is given back of it. Linux 6.1: drivers/vhost/vhost.c. */
import { NO_INTERRUPT, NO_NOTIFY, needsEvent } from '../../devices/virtio/index.ts';
import type { Machine } from '../board/machine.ts';
import type { NetClientConfig } from '../config.ts';
import { netOf } from '../net/clients.ts';
import { FEATURE, has } from './features.ts';
import { logUsed } from './log-write.ts';
import { availFlags, type RingReader, usedEvent } from './ring.ts';
import { isOutdated, type VhostState, type VringState } from './state.ts';

/** A ring of the vhost device of a tap, and the card whose it is. */
export interface Served {
  readonly machine: Machine;
  readonly tap: NetClientConfig;
  readonly queue: number;
}

/** What one piece of work came to. */
export interface Ran {
  /** Frames that were moved. */
  readonly elements: number;
  readonly end: 'more' | 'empty' | 'no buffers' | 'weight' | 'error' | 'idle';
}

export const vhostOf = (machine: Machine, { name }: NetClientConfig): VhostState => netOf(machine).vhosts![name]!;

export const vringOf = ({ machine, tap, queue }: Served): VringState => vhostOf(machine, tap).vrings[queue]!;

export const readerOf = (served: Served): RingReader => ({
  vring: vringOf(served),
  table: vhostOf(served.machine, served.tap).table,
  memory: served.machine.hostMemory,
});

/** What is read meanwhile is one fact. */
export const gather = <T>({ machine, tap }: Served, reads: () => T): T =>
  machine.hostMemory.gather(`vhost ${tap.name}`, reads);

const featuresOf = ({ machine, tap }: Served): VhostState['features'] => vhostOf(machine, tap).features;

export const hasFeature = (served: Served, bit: number): boolean => has(featuresOf(served), bit);

const word16 = (value: number): Uint8Array => Uint8Array.of(value, value >> 8);

/** Flags of the used ring, as the state has them. vhost_update_used_flags. */
export function writeFlags(served: Served): void {
  const { used, isQuiet } = vringOf(served);
  served.machine.hostMemory.writeHost(used, word16(isQuiet ? NO_NOTIFY : 0));
  logUsed(served, 0, 2);
}

/** The driver need not notify of what it adds, or is to. vhost_disable_notify, vhost_enable_notify. */
export function setNotify(served: Served, on: boolean, avail: number): void {
  const { machine, tap, queue } = served;
  if (vringOf(served).isQuiet === !on) return;
  machine.raise({ kind: 'sim:vhost_notify', client: tap.name, queue, on, avail });
  const { used, num } = vringOf(served);
  if (!hasFeature(served, FEATURE.eventIdx)) writeFlags(served);
  else if (on) {
    machine.hostMemory.writeHost(used + 4 + 8 * num, word16(avail));
    logUsed(served, 4 + 8 * num, 2);
  }
}

/** The driver has back all that was taken, and is interrupted if it wants to be. vhost_add_used_and_signal_n. */
export function giveBack(working: Served, known?: number): void {
  const { done, used, num, lastUsed, takenBy } = vringOf(working);
  if (done.length === 0) return;
  const asked = known ?? driverAsks(working);
  const served = { ...working, machine: working.machine.after(takenBy) };
  const { machine, tap, queue } = served;
  const memory = machine.hostMemory;
  for (const [at, { id, len }] of done.entries()) {
    const entry = new Uint8Array(Uint32Array.of(id, len).buffer);
    const offset = 4 + 8 * ((lastUsed + at) & (num - 1));
    memory.writeHost(used + offset, entry);
    logUsed(served, offset, 8);
  }
  const signal = signalFor(served, asked);
  const ring = { client: tap.name, queue, count: done.length };
  const told = machine.after(machine.raise({ kind: 'sim:vhost_add_used', ...ring, signal }));
  const { lastUsed: now, call } = vringOf(served);
  memory.writeHost(used + 2, word16(now));
  logUsed({ ...served, machine: told }, 2, 2);
  if (signal === 'sent') told.kvm.signal(call, 'vhost');
}

/** What the driver says of interrupts, read while it cannot say anything else. */
export const driverAsks = (served: Served): number =>
  gather(served, () => {
    const reader = readerOf(served);
    return hasFeature(served, FEATURE.eventIdx) ? usedEvent(reader) : availFlags(reader);
  });

/** Whether the driver is to be interrupted once it has back what was taken. vhost_notify. */
function signalFor(served: Served, asked: number): 'sent' | 'suppressed' | 'none' {
  const { call, availIdx, lastAvail, lastUsed, done, signalledUsed, isSignalledKnown } = vringOf(served);
  if (call < 0) return 'none';
  const isSent = (wants: boolean): 'sent' | 'suppressed' => (wants ? 'sent' : 'suppressed');
  if (hasFeature(served, FEATURE.notifyOnEmpty) && availIdx === lastAvail) return 'sent';
  if (!hasFeature(served, FEATURE.eventIdx)) return isSent((asked & NO_INTERRUPT) === 0);
  const now = (lastUsed + done.length) & 0xffff;
  const isKnown = isSignalledKnown && !isOutdated({ lastUsed: now, signalledUsed }, done.length);
  return isSent(!isKnown || needsEvent(asked, now, signalledUsed));
}

/** A driver did what none may do: QEMU is told by an eventfd, and the ring waits for the next notification. vq_err. */
export function fail(served: Served, why: string, avail: number, taken = 0): Ran {
  const { machine, tap, queue } = served;
  const told = machine.after(machine.raise({ kind: 'sim:vhost_error', client: tap.name, queue, why, avail, taken }));
  const { error } = vringOf(served);
  if (error >= 0) told.kvm.signal(error, 'vhost');
  return { elements: 0, end: 'error' };
}

/** VHOST_NET_WEIGHT, VHOST_NET_PKT_WEIGHT: what one piece of work may move before others have their turn. */
const WEIGHT = { bytes: 0x8_0000, packets: 256 } as const;

export const exceedsWeight = ({ packets, bytes }: VringState): boolean =>
  bytes >= WEIGHT.bytes || packets >= WEIGHT.packets;

/** VHOST_NET_BATCH. */
export const BATCH = 64;

/** Bytes before a frame in the driver's buffers, and whether the tap has them as well. */
export function headersOf(served: Served): { readonly length: number; readonly isOwn: boolean } {
  const [, high] = featuresOf(served);
  const length = hasFeature(served, FEATURE.mergeable) || (high & 1) !== 0 ? 12 : 10;
  return { length, isOwn: hasFeature(served, FEATURE.ownHeader) };
}
