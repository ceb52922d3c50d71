import type { EventfdWrite } from '../../devices/device.ts';
import { KVM_IOEVENTFD } from '../../kvm/ioctl/ioctls.ts';
import type { Machine, Part } from '../board/machine.ts';
import { regionBaseOf } from '../memory/region-base.ts';
import type { EventfdPlace } from '../state.ts';
import { vmIoctl } from './traced-kvm.ts';

/**
 * Give KVM the writes devices want signalled, after one of them was written to or regions moved: what changed goes,
 * then what is new comes. QEMU's address_space_update_ioeventfds.
 */
export function bindEventfds(machine: Machine): void {
  for (const part of machine.parts) {
    if (part.device.eventfd === undefined) continue;
    const { fd, place } = machine.state.eventfds[part.name] ?? { fd: undefined, place: undefined };
    const wanted = placed(machine, part, part.device.eventfd(machine.stateOf(part)));
    if (place !== undefined && isSame(place, wanted)) continue;
    if (fd !== undefined && place !== undefined) assign(machine, part.name, { fd, place }, false);
    if (wanted !== undefined) bind(machine, part.name, fd ?? machine.kvm.eventfd(), wanted);
  }
}

function bind(machine: Machine, part: string, fd: number, place: EventfdPlace): void {
  machine.kvm.consume(fd);
  assign(machine, part, { fd, place }, true);
}

/** The device looked whether it was signalled: QEMU's event_notifier_test_and_clear. */
export function clearEventfd(machine: Machine, part: string): void {
  const bound = machine.state.eventfds[part];
  if (bound !== undefined) machine.kvm.consume(bound.fd);
}

function placed(machine: Machine, part: Part, write: EventfdWrite | undefined): EventfdPlace | undefined {
  const base = write === undefined ? undefined : regionBaseOf(machine.state, part, write.region);
  if (write === undefined || base === undefined) return undefined;
  const pio = part.device.regions[write.region]!.space === 'io';
  return { addr: base + write.offset, size: write.size, pio, match: write.match };
}

const isSame = (a: EventfdPlace, b: EventfdPlace | undefined): boolean =>
  a.addr === b?.addr && a.size === b.size && a.pio === b.pio && a.match === b.match;

/** KVM_IOEVENTFD_FLAG_*. */
const DATAMATCH = 1;
const PIO = 2;
const DEASSIGN = 4;

function assign(
  machine: Machine,
  dev: string,
  { fd, place }: { readonly fd: number; readonly place: EventfdPlace },
  assigned: boolean,
): void {
  const { addr, size, pio, match } = place;
  const bound = machine.after(
    machine.raise({ kind: 'sim:eventfd_bound', dev, fd, addr, size, pio, match: match ?? -1, assigned }),
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
