/** QEMU's half of vhost: when the kernel serves rings, and by which eventfds. QEMU 7.2: vhost_net.c, vhost.c. */
import type { Hva } from '../../base/units.ts';
import type { VhostRing, VhostStart } from '../../devices/vhost.ts';
import { isMasked, messageOf, messagesOf } from '../../devices/pci/index.ts';
import { GUEST_NOTIFIER, NO_VECTOR, type VirtioFunctionState } from '../../devices/virtio/index.ts';
import { MAIN_LOOP, vhostSource } from '../../events/stamped.ts';
import { bindEventfds } from '../accel/eventfds.ts';
import { releaseVectors, routeOf, useVector } from '../accel/msix-routes.ts';
import type { Machine, Part } from '../board/machine.ts';
import { pciPart } from '../board/pci-parts.ts';
import type { CallOf } from '../board/pins.ts';
import type { NetClientConfig } from '../config.ts';
import { isLogging } from '../memory/written.ts';
import { clientOfPart, peerOf, vhostTapOf, vhostTapsOf } from '../net/clients.ts';
import { purge } from '../net/wire.ts';
import { ringAddresses } from './addresses.ts';
import { FEATURE, HANDED, has } from './features.ts';
import { vhostIoctl } from './ioctl.ts';
import { mapped, memoryTable, tableBytes } from './memory-table.ts';
import { giveLog, LOGGED, takeLog } from './migration-log.ts';
import { vhostOf } from './served.ts';

/** vhost_dev_init. */
export function openVhost(machine: Machine, part: Part, at: number): void {
  const tap = clientOfPart(machine, part, at);
  if (tap.vhost === undefined) return;
  vhostIoctl(machine, tap, 'VHOST_SET_OWNER');
  vhostIoctl(machine, tap, 'VHOST_GET_FEATURES');
  for (const queue of vhostOf(machine, tap).vrings.keys()) {
    vhostIoctl(machine, tap, 'VHOST_SET_VRING_CALL', { queue, arg: machine.kvm.eventfd() });
    vhostIoctl(machine, tap, 'VHOST_SET_VRING_ERR', { queue, arg: machine.kvm.eventfd() });
  }
}

/** vhost_net_start: a device after the other. False: it cannot be, which is on record. */
export function startVhost(machine: Machine, part: Part, start: VhostStart, callOf: CallOf): boolean {
  const taps = tapsOf(machine, part, start.rings.length);
  for (const tap of taps) {
    purge(machine, peerOf(machine, tap)!, WHY_PURGED, callOf);
    purge(machine, tap, WHY_PURGED, callOf);
  }
  setGuestNotifiers(machine, part, start.rings);
  bindEventfds(machine, part);
  for (const [at, tap] of taps.entries()) {
    const why = startOne(machine, part, tap, { ...start, rings: start.rings.slice(2 * at, 2 * at + 2) });
    if (why === undefined) continue;
    for (const before of taps.slice(0, at).toReversed()) stopOne(machine, before);
    releaseVectors(machine, part);
    machine.raise({ kind: 'sim:vhost_refused', client: tap.name, dev: part.name, ...why });
    return false;
  }
  for (const { vhost } of taps) machine.board.host.wake(vhostSource(vhost!), machine.origin);
  return true;
}

const WHY_PURGED = 'vhost begins';

/** Of the queues that so many rings are of. */
const tapsOf = (machine: Machine, part: Part, rings: number): readonly NetClientConfig[] =>
  vhostTapsOf(machine, part.name).slice(0, rings / 2);

/** vhost_net_start_one. */
function startOne(machine: Machine, part: Part, tap: NetClientConfig, start: VhostStart): Why | undefined {
  machine.raise({ kind: 'vhost_dev_start', dev: tap.name, name: 'virtio-net', vrings: false });
  const why = startRings(machine, part, tap, start);
  if (why !== undefined) {
    machine.raise({ kind: 'vhost_dev_stop', dev: tap.name, name: 'virtio-net', vrings: false });
    return why;
  }
  machine.raise({ kind: 'sim:tap_poll', client: tap.name, on: false });
  for (const [queue, { desc }] of start.rings.entries()) {
    if (desc !== 0) vhostIoctl(machine, tap, 'VHOST_NET_SET_BACKEND', { queue, arg: 0 });
  }
  return undefined;
}

/** By which eventfd the kernel says what it gave back: a message's, QEMU's own, or the one nobody hears. */
function setGuestNotifiers(machine: Machine, part: Part, rings: readonly VhostRing[]): void {
  const { function: pci, state } = pciPart(machine, part);
  const row = messagesOf(pci, state);
  const call = (ring: number, fd: (tap: NetClientConfig) => number): void => {
    const tap = vhostTapOf(machine, part.name, ring)!;
    setCall(machine, tap, ring % 2, fd(tap));
  };
  if (row === undefined) {
    for (const ring of rings.keys()) call(ring, () => guestNotifier(machine, part, ring));
    return;
  }
  for (const { vector } of rings) {
    if (vector < row.vectors) useVector(machine, part, vector, messageOf(state, row, vector));
  }
  for (const [ring, { vector }] of rings.entries()) {
    const route = vector < row.vectors && !isMasked(state, row, vector) ? routeOf(machine, part, vector) : undefined;
    call(ring, (tap) => route?.fd ?? vhostOf(machine, tap).vrings[ring % 2]!.masked);
  }
}

/** The main loop waits for it. */
function guestNotifier(machine: Machine, part: Part, queue: number): number {
  const id = GUEST_NOTIFIER + queue;
  const known = boundAs(machine, part, id);
  if (known !== undefined) return known;
  const fd = machine.kvm.eventfd();
  const nowhere = { addr: 0, size: 0, pio: false, match: -1, assigned: false };
  machine.raise({ kind: 'sim:eventfd_bound', dev: part.name, id, thread: MAIN_LOOP, fd, ...nowhere });
  return fd;
}

function setCall(machine: Machine, tap: NetClientConfig, queue: number, fd: number): void {
  if (vhostOf(machine, tap).vrings[queue]!.call === fd) return;
  vhostIoctl(machine, tap, 'VHOST_SET_VRING_CALL', { queue, arg: fd });
}

interface Why {
  readonly errno: number;
  readonly why: string;
}

/** vhost_dev_start. */
function startRings(machine: Machine, part: Part, tap: NetClientConfig, start: VhostStart): Why | undefined {
  const [low, high] = start.features;
  const ownHeader = tapTakesHeaders(machine, tap) ? 0 : 2 ** FEATURE.ownHeader;
  const logAll = isLogging(machine) ? 2 ** FEATURE.logAll : 0;
  const words = [((low & HANDED[0]) | ownHeader | logAll) >>> 0, (high & HANDED[1] & ~2) >>> 0] as const;
  vhostIoctl(machine, tap, 'VHOST_SET_FEATURES', { arg: BigInt(words[1]) * 2n ** 32n + BigInt(words[0]) });
  vhostIoctl(machine, tap, 'VHOST_SET_MEM_TABLE', { more: tableBytes(memoryTable(machine)) });
  for (const [queue, ring] of start.rings.entries()) {
    const why =
      ring.desc === 0 ? undefined : startRing(machine, part, tap, { ...ring, queue, features: start.features });
    if (why !== undefined) return why;
  }
  if (isLogging(machine)) giveLog(machine, tap);
  return undefined;
}

function tapTakesHeaders(machine: Machine, tap: NetClientConfig): boolean {
  return machine.parts.find(({ name }) => name === tap.part)?.device.takesHeaders === true;
}

const ENOMEM = 12;

/** vhost_virtqueue_start. */
function startRing(
  machine: Machine,
  part: Part,
  tap: NetClientConfig,
  ring: VhostRing & { readonly queue: number; readonly features: VhostStart['features'] },
): Why | undefined {
  const { queue, size, desc, avail, used, lastAvail, vector } = ring;
  const ret = vhostIoctl(machine, tap, 'VHOST_SET_VRING_NUM', { queue, arg: size });
  if (ret < 0) return { errno: -ret, why: `a ring of ${size} descriptors` };
  vhostIoctl(machine, tap, 'VHOST_SET_VRING_BASE', { queue, arg: lastAvail });
  const event = has(ring.features, FEATURE.eventIdx) ? 2 : 0;
  const places = {
    desc: mapped(machine, desc, 16 * size),
    used: mapped(machine, used, 4 + 8 * size + event),
    avail: mapped(machine, avail, 4 + 2 * size + event),
  };
  if (Object.values(places).includes(undefined)) {
    return { errno: ENOMEM, why: `ring ${queue} does not lie in memory` };
  }
  const more = ringAddresses({ ...(places as Record<keyof typeof places, Hva>), log: used });
  vhostIoctl(machine, tap, 'VHOST_SET_VRING_ADDR', { queue, arg: isLogging(machine) ? LOGGED : 0, more });
  const fd = boundAs(machine, part, 2 * (tap.queue ?? 0) + queue) ?? -1;
  vhostIoctl(machine, tap, 'VHOST_SET_VRING_KICK', { queue, arg: fd });
  machine.kvm.consume(vhostOf(machine, tap).vrings[queue]!.masked);
  const { function: pci, state } = pciPart(machine, part);
  if (messagesOf(pci, state) !== undefined && vector === NO_VECTOR) setCall(machine, tap, queue, -1);
  return undefined;
}

/** vhost_net_stop. Returns how far the kernel took each ring. */
export function stopVhost(machine: Machine, part: Part, rings: number, callOf: CallOf): number[] {
  const bases = tapsOf(machine, part, rings).flatMap((tap) => stopOne(machine, tap));
  for (let ring = 0; ring < rings; ring += 1) takeSignal(machine, part, GUEST_NOTIFIER + ring, callOf);
  releaseVectors(machine, part);
  machine.board.host.wake(MAIN_LOOP, machine.origin);
  return bases;
}

/** What the main loop has not heard yet it does not hear any more: virtio_queue_set_guest_notifier_fd_handler. */
function takeSignal(machine: Machine, part: Part, id: number, callOf: CallOf): void {
  const fd = boundAs(machine, part, id);
  if (fd === undefined || machine.kvm.consume(fd) === 0) return;
  const call = callOf(machine, part, { kind: 'sim:device_notified', dev: part.name, id });
  part.device.notified?.(machine.stateOf(part), id, call);
  call.finish(false);
}

/** The eventfd of a device that is this one of its own; undefined: there is none. */
function boundAs({ state: { eventfds } }: Machine, { name }: Part, id: number): number | undefined {
  const found = Object.entries(eventfds).find(([, bound]) => bound.dev === name && bound.id === id);
  return found === undefined ? undefined : Number(found[0]);
}

/** vhost_net_stop_one. */
function stopOne(machine: Machine, tap: NetClientConfig): number[] {
  const queues = [...vhostOf(machine, tap).vrings.keys()];
  for (const queue of queues) vhostIoctl(machine, tap, 'VHOST_NET_SET_BACKEND', { queue, arg: -1 });
  machine.raise({ kind: 'sim:tap_poll', client: tap.name, on: true });
  machine.raise({ kind: 'vhost_dev_stop', dev: tap.name, name: 'virtio-net', vrings: false });
  const bases = queues.map((queue) => {
    vhostIoctl(machine, tap, 'VHOST_GET_VRING_BASE', { queue });
    return vhostOf(machine, tap).vrings[queue]!.lastAvail;
  });
  if (isLogging(machine)) takeLog(machine, tap);
  return bases;
}

/** A notification that came to user space goes on to the kernel. virtio_queue_notify of a queue with a notifier. */
export function kickVhost(machine: Machine, part: Part, ring: number): void {
  const tap = vhostTapOf(machine, part.name, ring);
  const kick = tap === undefined ? -1 : vhostOf(machine, tap).vrings[ring % 2]!.kick;
  if (kick >= 0) machine.kvm.signal(kick);
}

/** A vector was masked, or is so no more: the kernel signals elsewhere, and what it said meanwhile is said now. */
export function vectorsMoved(machine: Machine, part: Part): void {
  for (const tap of vhostTapsOf(machine, part.name)) callsMoved(machine, part, tap);
}

function callsMoved(machine: Machine, part: Part, tap: NetClientConfig): void {
  const { function: pci, state } = pciPart(machine, part);
  const { queues } = state as VirtioFunctionState;
  const row = messagesOf(pci, state);
  for (const [queue, { hasBackend, masked, call }] of vhostOf(machine, tap).vrings.entries()) {
    const { vector = NO_VECTOR } = queues[2 * (tap.queue ?? 0) + queue] ?? {};
    const route = hasBackend ? routeOf(machine, part, vector) : undefined;
    if (route?.gsi === undefined || call < 0) continue;
    if (row?.kind !== 'msix' || isMasked(state, row, vector)) {
      setCall(machine, tap, queue, masked);
      continue;
    }
    useVector(machine, part, vector, messageOf(state, row, vector));
    setCall(machine, tap, queue, route.fd);
    if (call === masked && machine.kvm.consume(masked) > 0) machine.kvm.signal(route.fd);
  }
}
