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
import { clientOfPart, vhostTapOf } from '../net/clients.ts';
import { purge } from '../net/wire.ts';
import { ringAddresses } from './addresses.ts';
import { FEATURE, HANDED, has } from './features.ts';
import { vhostIoctl } from './ioctl.ts';
import { mapped, memoryTable, tableBytes } from './memory-table.ts';
import { giveLog, LOGGED, takeLog } from './migration-log.ts';
import { vhostOf } from './served.ts';

/** vhost_dev_init. */
export function openVhost(machine: Machine, part: Part): void {
  const tap = clientOfPart(machine, part);
  if (tap.vhost === undefined) return;
  vhostIoctl(machine, tap, 'VHOST_SET_OWNER');
  vhostIoctl(machine, tap, 'VHOST_GET_FEATURES');
  for (const queue of vhostOf(machine, tap).vrings.keys()) {
    vhostIoctl(machine, tap, 'VHOST_SET_VRING_CALL', { queue, arg: machine.kvm.eventfd() });
    vhostIoctl(machine, tap, 'VHOST_SET_VRING_ERR', { queue, arg: machine.kvm.eventfd() });
  }
}

/** vhost_net_start. False: it cannot be, which is on record. */
export function startVhost(machine: Machine, part: Part, start: VhostStart, callOf: CallOf): boolean {
  const tap = vhostTapOf(machine, part.name)!;
  purge(machine, clientOfPart(machine, part), callOf);
  purge(machine, tap, callOf);
  setGuestNotifiers(machine, part, tap, start.rings);
  bindEventfds(machine, part);
  machine.raise({ kind: 'vhost_dev_start', dev: tap.name, name: 'virtio-net', vrings: false });
  const why = startRings(machine, part, tap, start);
  if (why !== undefined) {
    machine.raise({ kind: 'vhost_dev_stop', dev: tap.name, name: 'virtio-net', vrings: false });
    releaseVectors(machine, part);
    machine.raise({ kind: 'sim:vhost_refused', client: tap.name, dev: part.name, ...why });
    return false;
  }
  machine.raise({ kind: 'sim:tap_poll', client: tap.name, on: false });
  for (const [queue, { desc }] of start.rings.entries()) {
    if (desc !== 0) vhostIoctl(machine, tap, 'VHOST_NET_SET_BACKEND', { queue, arg: 0 });
  }
  machine.board.host.wake(vhostSource(tap.vhost!), machine.origin);
  return true;
}

/** By which eventfd the kernel says what it gave back: a message's, QEMU's own, or the one nobody hears. */
function setGuestNotifiers(machine: Machine, part: Part, tap: NetClientConfig, rings: readonly VhostRing[]): void {
  const { function: pci, state } = pciPart(machine, part);
  const row = messagesOf(pci, state);
  if (row === undefined) {
    for (const queue of rings.keys()) setCall(machine, tap, queue, guestNotifier(machine, part, queue));
    return;
  }
  for (const { vector } of rings) {
    if (vector < row.vectors) useVector(machine, part, vector, messageOf(state, row, vector));
  }
  for (const [queue, { vector }] of rings.entries()) {
    const { masked } = vhostOf(machine, tap).vrings[queue]!;
    const route = vector < row.vectors && !isMasked(state, row, vector) ? routeOf(machine, part, vector) : undefined;
    if (route === undefined) setCall(machine, tap, queue, masked);
    else setCall(machine, tap, queue, route.fd);
  }
}

/** The main loop waits for it. */
function guestNotifier(machine: Machine, part: Part, queue: number): number {
  const id = GUEST_NOTIFIER + queue;
  const known = Object.entries(machine.state.eventfds).find(([, bound]) => bound.dev === part.name && bound.id === id);
  if (known !== undefined) return Number(known[0]);
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
  const [fd] =
    Object.entries(machine.state.eventfds).find(([, { dev, id }]) => dev === part.name && id === queue) ?? [];
  vhostIoctl(machine, tap, 'VHOST_SET_VRING_KICK', { queue, arg: Number(fd ?? -1) });
  machine.kvm.consume(vhostOf(machine, tap).vrings[queue]!.masked);
  const { function: pci, state } = pciPart(machine, part);
  if (messagesOf(pci, state) !== undefined && vector === NO_VECTOR) setCall(machine, tap, queue, -1);
  return undefined;
}

/** vhost_net_stop. Returns how far the kernel took each ring. */
export function stopVhost(machine: Machine, part: Part): number[] {
  const tap = vhostTapOf(machine, part.name)!;
  const queues = [...vhostOf(machine, tap).vrings.keys()];
  for (const queue of queues) vhostIoctl(machine, tap, 'VHOST_NET_SET_BACKEND', { queue, arg: -1 });
  machine.raise({ kind: 'sim:tap_poll', client: tap.name, on: true });
  machine.raise({ kind: 'vhost_dev_stop', dev: tap.name, name: 'virtio-net', vrings: false });
  const bases = queues.map((queue) => {
    vhostIoctl(machine, tap, 'VHOST_GET_VRING_BASE', { queue });
    return vhostOf(machine, tap).vrings[queue]!.lastAvail;
  });
  if (isLogging(machine)) takeLog(machine, tap);
  releaseVectors(machine, part);
  machine.board.host.wake(MAIN_LOOP, machine.origin);
  return bases;
}

/** A notification that came to user space goes on to the kernel. virtio_queue_notify of a queue with a notifier. */
export function kickVhost(machine: Machine, part: Part, queue: number): void {
  const { kick } = vhostOf(machine, vhostTapOf(machine, part.name)!).vrings[queue]!;
  if (kick >= 0) machine.kvm.signal(kick);
}

/** A vector was masked, or is so no more: the kernel signals elsewhere, and what it said meanwhile is said now. */
export function vectorsMoved(machine: Machine, part: Part): void {
  const tap = vhostTapOf(machine, part.name);
  if (tap === undefined) return;
  const { function: pci, state } = pciPart(machine, part);
  const { queues } = state as VirtioFunctionState;
  const row = messagesOf(pci, state);
  for (const [queue, { hasBackend, masked, call }] of vhostOf(machine, tap).vrings.entries()) {
    const { vector } = queues[queue]!;
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
