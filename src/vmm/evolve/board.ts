/** What facts do to the board between the devices: pins, memory slots, eventfds, timers, resets. */
import type { Draft } from '../../base/draft.ts';
import { putNamed } from '../../base/places.ts';
import { intxDriven, isIntxDisabled } from '../../devices/pci/index.ts';
import { slotDriven } from '../../devices/piix3/index.ts';
import type { Wire } from '../../devices/wire.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { MachineConfig } from '../config.ts';
import { ISA_BRIDGE } from '../board/isa-bridge.ts';
import type { EventfdPlace, VmmState } from '../state.ts';
import { functionState, inputDriven, timerFired } from './devices.ts';

type Vmm = Draft<VmmState>;

/** sim:irq_line: the pin, and what its wire leads to. */
export function pinDriven(vmm: Vmm, { dev, pin, level }: EventOf<'sim:irq_line'>, config: MachineConfig): void {
  const high = level !== 0;
  vmm.pins[`${dev}.${pin}`] = high;
  const wire = config.parts.find((part) => part.name === dev)?.wires[pin];
  if (wire?.to === 'intx') intxRaised(vmm, dev, wire, high);
  else if (wire?.to === 'input') inputDriven(vmm, wire.part, wire.name, high, config);
}

/** The function's status tells of its pin; the bridge sees it unless the function's pin is disabled. */
function intxRaised(vmm: Vmm, dev: string, { slot, pin }: Wire & { readonly to: 'intx' }, high: boolean): void {
  const state = functionState(vmm, dev);
  intxDriven(state, high);
  slotDriven(vmm.devices[ISA_BRIDGE], { slot, pin, high: high && !isIntxDisabled(state) });
}

/** kvm_set_user_memory. */
export function slotSet(vmm: Vmm, event: EventOf<'kvm_set_user_memory'>): void {
  const { slot, flags, guest_phys_addr: gpa, memory_size: size, userspace_addr: hva } = event;
  const known = vmm.slots.find((each) => each.slot === slot);
  if (size === 0) vmm.slots = vmm.slots.filter((each) => each.slot !== slot);
  else if (known === undefined) vmm.slots.push({ slot, flags, gpa, size, hva });
  else Object.assign(known, { flags, gpa, size, hva });
}

/** sim:eventfd_bound. */
export function eventfdBound(vmm: Vmm, event: EventOf<'sim:eventfd_bound'>): void {
  const { dev, id, thread, fd, addr, size, pio, match, assigned } = event;
  const place = { addr, size, pio, match: match < 0 ? undefined : match };
  const others = (vmm.eventfds[fd]?.places ?? []).filter((known) => !isSamePlace(known, place));
  vmm.eventfds[fd] = { dev, id, thread, places: assigned ? [...others, place] : others };
}

const isSamePlace = (a: EventfdPlace, b: EventfdPlace): boolean =>
  a.addr === b.addr && a.size === b.size && a.pio === b.pio && a.match === b.match;

/** sim:msi_route. */
export function msiRouted(vmm: Vmm, event: EventOf<'sim:msi_route'>): void {
  const { dev, vector, gsi, fd, address, data, bound, used } = event;
  putNamed(vmm.msiRoutes, `${dev}.${vector}`, { gsi: used ? gsi : undefined, fd, address, data, bound });
}

/** sim:reset_asked. */
export function resetAsked(vmm: Vmm, { by }: EventOf<'sim:reset_asked'>): void {
  vmm.resetBy = by;
}

/** sim:reset. */
export function resetDone(vmm: Vmm): void {
  vmm.resetBy = undefined;
  delete vmm.sleep;
}

/** sim:machine_stopped. */
export function stopped(vmm: Vmm, { drive }: EventOf<'sim:machine_stopped'>): void {
  vmm.stopped = { why: 'io-error', drive };
}

/** sim:machine_continued. */
export function continued(vmm: Vmm): void {
  delete vmm.stopped;
}

/** sim:suspend_asked. */
export function suspendAsked(vmm: Vmm): void {
  vmm.sleep = { isAsleep: false, wokenBy: undefined };
}

/** sim:suspended. */
export function suspended(vmm: Vmm): void {
  vmm.sleep = { isAsleep: true, wokenBy: undefined };
}

/** sim:wakeup_asked. */
export function wakeupAsked(vmm: Vmm, { by }: EventOf<'sim:wakeup_asked'>): void {
  if (vmm.sleep !== undefined) vmm.sleep.wokenBy = by;
}

/** sim:woken. */
export function woken(vmm: Vmm): void {
  delete vmm.sleep;
}

/** sim:timer_arm of a device's timer. */
export function armed(vmm: Vmm, { id, deadline }: EventOf<'sim:timer_arm'>, { seq }: Stamped): void {
  putNamed(vmm.timers, id, { deadline, armed: seq });
}

/** sim:timer_cancel of a device's timer. */
export function cancelled(vmm: Vmm, { id }: EventOf<'sim:timer_cancel'>): void {
  delete vmm.timers[id];
}

/** sim:timer_fire of a device's timer. */
export function fired(vmm: Vmm, { id }: EventOf<'sim:timer_fire'>, config: MachineConfig): void {
  delete vmm.timers[id];
  timerFired(vmm, id, config);
}
