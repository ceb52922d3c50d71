/** What facts do to descriptors, and to what binds them: irqfds, ioeventfds, the ring of writes that wait. */
import type { Draft } from '../../base/draft.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { isWithin, RING_ENTRIES } from '../io/coalesced.ts';
import { assignedAt, IOEVENTFD_DEASSIGN, ioeventfdOf, IRQFD_DEASSIGN, IRQFD_RESAMPLE } from '../io/eventfd.ts';
import { KVM_PATH, placeOfFd } from '../ioctl/files.ts';
import type { KvmState } from '../state.ts';
import { notifierSet } from './irqchip.ts';

type Kvm = Draft<KvmState>;

/** sim:fd_open. */
export function opened(kvm: Kvm, { path }: EventOf<'sim:fd_open'>): void {
  kvm.files.push(path === KVM_PATH ? { kind: 'kvm' } : { kind: 'eventfd', count: 0 });
}

/** sim:eventfd_signal. */
export function signalled(kvm: Kvm, { fd, n }: EventOf<'sim:eventfd_signal'>): void {
  const file = kvm.files[placeOfFd(fd)];
  if (file?.kind === 'eventfd') file.count += n;
}

/** sim:eventfd_consume. */
export function consumed(kvm: Kvm, { fd, n }: EventOf<'sim:eventfd_consume'>): void {
  const file = kvm.files[placeOfFd(fd)];
  if (file?.kind === 'eventfd') file.count -= n;
}

/** KVM_IRQFD. A GSI with a resampling irqfd wants to hear of its acknowledgements. */
export function irqfdSet(kvm: Kvm, { fd, gsi, flags, resamplefd }: EventOf<'ioctl:KVM_IRQFD'>): void {
  const vm = kvm.vm!;
  const isResampled = (): boolean => vm.irqfds.some((each) => each.gsi === gsi && each.resamplefd !== undefined);
  const before = isResampled();
  if ((flags & IRQFD_DEASSIGN) !== 0) vm.irqfds = vm.irqfds.filter((each) => each.fd !== fd || each.gsi !== gsi);
  else vm.irqfds.push({ fd, gsi, resamplefd: (flags & IRQFD_RESAMPLE) !== 0 ? resamplefd : undefined });
  if (before !== isResampled()) notifierSet(vm.irqchip!, gsi, !before);
}

/** KVM_IOEVENTFD. */
export function ioeventfdSet(kvm: Kvm, event: EventOf<'ioctl:KVM_IOEVENTFD'>): void {
  const { ioeventfds } = kvm.vm!;
  const wanted = ioeventfdOf(event);
  const bus = wanted.pio ? ioeventfds.pio : ioeventfds.mmio;
  const there = bus[event.addr] ?? [];
  if ((event.flags & IOEVENTFD_DEASSIGN) === 0) there.push(wanted);
  else there.splice(assignedAt(there, wanted), 1);
  if (there.length === 0) delete bus[event.addr];
  else bus[event.addr] = there;
}

/** KVM_REGISTER_COALESCED_MMIO. */
export function zoneSet(kvm: Kvm, { addr, size, pio }: EventOf<'ioctl:KVM_REGISTER_COALESCED_MMIO'>): void {
  kvm.vm!.coalesced.push({ addr, size, pio });
}

/** KVM_UNREGISTER_COALESCED_MMIO. */
export function zoneRemoved(kvm: Kvm, { addr, size, pio }: EventOf<'ioctl:KVM_UNREGISTER_COALESCED_MMIO'>): void {
  const vm = kvm.vm!;
  vm.coalesced = vm.coalesced.filter((zone) => zone.pio !== pio || !isWithin(zone, addr, size));
}

/** sim:coalesced_write. */
export function writeWaits(kvm: Kvm, { addr, pio, data }: EventOf<'sim:coalesced_write'>): void {
  const { ring } = kvm.vm!;
  ring.entries[ring.last] = { addr, pio, data: [...data] };
  ring.last = (ring.last + 1) % RING_ENTRIES;
}

/** sim:coalesced_taken. */
export function writeTaken(kvm: Kvm, { first }: EventOf<'sim:coalesced_taken'>): void {
  kvm.vm!.ring.first = first;
}
