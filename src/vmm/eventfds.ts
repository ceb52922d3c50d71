import type { EventfdWrite } from '../devices/device.ts';
import { KVM_IOEVENTFD } from '../kvm/ioctls.ts';
import type { BoundEventfd, Machine } from './machine.ts';
import { regionBaseOf } from './pc/memory-map.ts';
import { vmIoctl } from './traced-kvm.ts';

/**
 * Give KVM the writes devices want signalled, after one of them was written to or regions moved: what changed goes,
 * then what is new comes. QEMU's address_space_update_ioeventfds.
 */
export function bindEventfds(machine: Machine): void {
  machine.parts.forEach((part, index) => {
    if (part.device.eventfd === undefined) return;
    const bound = machine.state.eventfds[part.name];
    const wanted = placed(machine, index, part.device.eventfd(machine.state.devices[part.name]!));
    if (bound?.place !== undefined && isSame(bound.place, wanted)) return;
    if (bound?.place !== undefined) assign(machine, bound, DEASSIGN);
    if (wanted === undefined) {
      if (bound !== undefined) bound.place = undefined;
      return;
    }
    const fd = bound?.fd ?? machine.kvm.eventfd();
    machine.state.eventfds[part.name] = { fd, place: wanted };
    machine.kvm.consume(fd);
    assign(machine, { fd, place: wanted }, 0);
  });
}

/** The device looked whether it was signalled: QEMU's event_notifier_test_and_clear. */
export function clearEventfd(machine: Machine, part: string): void {
  const bound = machine.state.eventfds[part];
  if (bound !== undefined) machine.kvm.consume(bound.fd);
}

type Place = NonNullable<BoundEventfd['place']>;

function placed(machine: Machine, index: number, write: EventfdWrite | undefined): Place | undefined {
  const base = write === undefined ? undefined : regionBaseOf(machine, index, write.region);
  if (write === undefined || base === undefined) return undefined;
  const pio = machine.parts[index]!.device.regions[write.region]!.space === 'io';
  return { addr: base + write.offset, size: write.size, pio, match: write.match };
}

const isSame = (a: Place, b: Place | undefined): boolean =>
  a.addr === b?.addr && a.size === b.size && a.pio === b.pio && a.match === b.match;

function assign(machine: Machine, { fd, place }: BoundEventfd, deassign: number): void {
  const { addr, size, pio, match } = place!;
  const flags = (match === undefined ? 0 : DATAMATCH) | (pio ? PIO : 0) | deassign;
  vmIoctl(machine, machine.fds.vm, KVM_IOEVENTFD, { fd, addr, len: size, datamatch: BigInt(match ?? 0), flags });
}

/** KVM_IOEVENTFD_FLAG_*. */
const DATAMATCH = 1;
const PIO = 2;
const DEASSIGN = 4;
