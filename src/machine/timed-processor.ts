import type { Guest, GuestStop } from '../kvm/guest.ts';
import type { MachineContext } from './context.ts';
import { VM_EXIT_NS } from '../reducers/state.ts';
import { witnessed } from './witness.ts';

/**
 * The engine as KVM sees it in a machine. Every retired instruction moves the clock, and no run passes the tick at
 * which it is to be cut: a cut is a 'break' that leaves the VM entry open, so that where a caller of `advance` stops
 * cannot be seen in the run. The ticks of a cut run are reported with the exit that ends the entry.
 */
export function timedGuest(context: MachineContext): Guest {
  const raise = context.parts.witness === false ? (): void => undefined : context.raise;
  return witnessed(context.engine, {
    raise,
    run(vcpu, budget, inject) {
      const stop = cutRun(context, vcpu, budget, inject);
      if (stop.why === 'budget') raise(stoppedFact(vcpu, stop));
      return stop;
    },
    setControls(vcpu, controls) {
      context.controls[vcpu] = controls;
      context.engine.setControls(vcpu, controls);
    },
    retired() {
      context.state.clock.ticks += 1;
      context.state.schedule.quantumLeft -= 1;
    },
  });
}

function cutRun(context: MachineContext, vcpu: number, budget: number, inject: Parameters<Guest['run']>[2]): GuestStop {
  const { clock, schedule } = context.state;
  // An entry runs at least one tick: only a cut or an input leaves none, which is how a fold tells them apart.
  const whole = Math.min(budget, Math.max(1, context.endAt - clock.ticks));
  const allowed = Math.min(whole, context.cutAt - clock.ticks);
  const stop = context.engine.run(vcpu, allowed, inject);
  clock.ticks += stop.ticks;
  schedule.quantumLeft -= stop.ticks;
  const carried = schedule.carriedTicks[vcpu] + stop.ticks;
  const isCut = stop.why === 'budget' && allowed < whole;
  if (isCut || stop.why === 'break') {
    schedule.carriedTicks[vcpu] = carried;
    schedule.inGuest[vcpu] = true;
    if (!isCut) context.hasBroken = true;
    return isCut ? { ...stop, why: 'break' } : stop;
  }
  schedule.carriedTicks[vcpu] = 0;
  schedule.inGuest[vcpu] = false;
  clock.warpedNs += VM_EXIT_NS;
  return carried === stop.ticks ? stop : { ...stop, ticks: carried };
}

function stoppedFact(vcpu: number, { why, ticks, rip, rflags, interruptibility, cr8 }: GuestStop) {
  return { kind: 'sim:guest_stopped', vcpu_id: vcpu, why, ticks, rip, rflags, interruptibility, cr8 } as const;
}
