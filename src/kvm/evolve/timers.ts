/** What facts do to the kernel's timers: who is armed, and what a timer's owner notes when it is armed or fires. */
import type { Draft } from '../../base/draft.ts';
import { putNamed } from '../../base/places.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { vcpuOfTimer } from '../irqchip/lapic-timer.ts';
import { isPitTimer } from '../irqchip/pit.ts';
import type { KvmState } from '../state.ts';
import * as lapic from './lapic.ts';
import * as pit from './pit.ts';

type Kvm = Draft<KvmState>;

/** sim:timer_arm. */
export function armed(kvm: Kvm, { id, deadline }: EventOf<'sim:timer_arm'>, { seq }: Stamped): void {
  putNamed(kvm.timers, id, { deadline, armed: seq });
  const vcpu = vcpuOfTimer(id);
  if (vcpu !== undefined) lapic.timerArmed(kvm, vcpu, deadline);
  else if (isPitTimer(id)) pit.armed(kvm, id, deadline);
}

/** sim:timer_cancel. */
export function cancelled(kvm: Kvm, { id }: EventOf<'sim:timer_cancel'>): void {
  delete kvm.timers[id];
}

/** sim:timer_fire. */
export function fired(kvm: Kvm, { id }: EventOf<'sim:timer_fire'>, { seq }: Stamped): void {
  delete kvm.timers[id];
  const vcpu = vcpuOfTimer(id);
  if (vcpu !== undefined) lapic.timerFired(kvm, vcpu, seq);
  else if (isPitTimer(id)) pit.fired(kvm, id);
}
