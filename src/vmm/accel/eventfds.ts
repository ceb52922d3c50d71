import type { EventfdWrite } from '../../devices/device.ts';
import { type Source, vhostSource } from '../../events/stamped.ts';
import { KVM_IOEVENTFD } from '../../kvm/ioctl/ioctls.ts';
import type { Machine, Part } from '../board/machine.ts';
import { vhostTapOf } from '../net/clients.ts';
import { rangeAt } from '../memory/flat-view.ts';
import { regionBaseOf } from '../memory/region-base.ts';
import type { BoundEventfd, EventfdPlace } from '../state.ts';
import { vmIoctl } from './traced-kvm.ts';

/**
 * Give KVM the writes a device wants signalled, after it changed: what changed goes, then what is new comes. QEMU's
 * address_space_update_ioeventfds.
 */
export function bindEventfds(machine: Machine, part: Part): void {
  if (part.device.eventfds === undefined) return;
  const wanted = wantedBy(machine, part);
  const { fds: before, known } = released(machine, part, wanted);
  const fds = new Map(before);
  const primed = new Set<number>();
  for (const { id, place, isPrimed, thread } of wanted) {
    if (known.has(keyOf(id, place, thread))) continue;
    const fd = fds.get(id) ?? machine.kvm.eventfd();
    fds.set(id, fd);
    assign(machine, { dev: part.name, id, thread, fd, place }, true);
    if (isPrimed) primed.add(fd);
  }
  for (const fd of primed) machine.kvm.signal(fd);
}

/** Take back what a device does not want signalled any more, and what others answer now. */
export function releaseEventfds(machine: Machine, part: Part): void {
  if (part.device.eventfds !== undefined) released(machine, part, wantedBy(machine, part));
}

/** What a device has of KVM: eventfds by what they are for, and the writes that signal them. */
interface Held {
  readonly fds: ReadonlyMap<number, number>;
  readonly known: ReadonlySet<string>;
}

function released(machine: Machine, part: Part, wanted: readonly Wanted[]): Held {
  const keys = new Set(wanted.map(({ id, place, thread }) => keyOf(id, place, thread)));
  const [fds, known] = [new Map<number, number>(), new Set<string>()];
  for (const [fd, { id, thread, places }] of boundTo(machine, part.name)) {
    fds.set(id, fd);
    for (const place of places) {
      const key = keyOf(id, place, thread);
      if (keys.has(key)) known.add(key);
      else assign(machine, { dev: part.name, id, thread, fd, place }, false);
    }
  }
  return { fds, known };
}

interface Wanted {
  readonly id: number;
  readonly place: EventfdPlace;
  readonly isPrimed: boolean;
  readonly thread: Source;
}

function wantedBy(machine: Machine, part: Part): Wanted[] {
  const writes = part.device.eventfds?.(machine.stateOf(part)) ?? [];
  return writes.flatMap((write): Wanted[] => {
    const place = placed(machine, part, write);
    const thread = write.byKernel === true ? (kernelThread(machine, part, write.id) ?? part.thread) : part.thread;
    return place === undefined ? [] : [{ id: write.id, place, isPrimed: write.isPrimed === true, thread }];
  });
}

/** The worker of the tap at the other end of a card's wire that serves a ring. */
function kernelThread(machine: Machine, { name }: Part, ring: number): Source | undefined {
  const index = vhostTapOf(machine, name, ring)?.vhost;
  return index === undefined ? undefined : vhostSource(index);
}

const keyOf = (id: number, { addr, size, pio, match }: EventfdPlace, thread: Source): string =>
  `${thread} ${id} ${pio ? 'port' : 'memory'} ${addr} ${size} ${match ?? 'any'}`;

function boundTo({ state: { eventfds } }: Machine, part: string): [number, BoundEventfd][] {
  return Object.entries(eventfds).flatMap(([fd, bound]): [number, BoundEventfd][] =>
    bound.dev === part ? [[Number(fd), bound]] : [],
  );
}

/** Undefined: nobody can write there, or it is another who answers. */
function placed(machine: Machine, part: Part, write: EventfdWrite): EventfdPlace | undefined {
  const base = regionBaseOf(machine.state, part, write.region);
  if (base === undefined) return undefined;
  const addr = base + write.offset;
  const pio = part.device.regions[write.region]!.space === 'io';
  const { ioView, memoryView } = machine.board;
  const answering = rangeAt(pio ? ioView : memoryView, addr)?.leaf.handler;
  if (answering?.region !== write.region || machine.parts[answering.part]!.name !== part.name) return undefined;
  return { addr, size: write.size, pio, match: write.match };
}

/** KVM_IOEVENTFD_FLAG_*. */
const DATAMATCH = 1;
const PIO = 2;
const DEASSIGN = 4;

interface Binding extends Omit<BoundEventfd, 'places'> {
  readonly fd: number;
  readonly place: EventfdPlace;
}

function assign(machine: Machine, { dev, id, thread, fd, place }: Binding, assigned: boolean): void {
  const { addr, size, pio, match } = place;
  const bound = machine.after(
    machine.raise({
      ...({ kind: 'sim:eventfd_bound', dev, id, thread, fd } as const),
      ...{ addr, size, pio, match: match ?? -1, assigned },
    }),
  );
  bound.raise({
    kind: pio ? 'kvm_set_ioeventfd_pio' : 'kvm_set_ioeventfd_mmio',
    fd,
    addr,
    val: match ?? 0,
    assign: assigned,
    size,
    datamatch: match !== undefined,
  });
  const flags = (match === undefined ? 0 : DATAMATCH) | (pio ? PIO : 0) | (assigned ? 0 : DEASSIGN);
  vmIoctl(bound, machine.fds.vm, KVM_IOEVENTFD, { fd, addr, len: size, datamatch: BigInt(match ?? 0), flags });
}
