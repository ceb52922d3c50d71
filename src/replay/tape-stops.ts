/** How the processor is said to have stopped. */
import type { EventOf } from '../events/vocabulary.ts';
import { type GuestStop, NO_EXIT, type VmExit } from '../x86/guest.ts';

/** A run that was cut, at a vCPU that stands nowhere. */
export const BLANK_STOP: GuestStop = {
  why: 'budget',
  exit: NO_EXIT,
  ticks: 0,
  rip: 0n,
  rflags: 2,
  interruptibility: 0,
  cr8: 0,
  a0: 0n,
  a1: 0n,
  a2: 0n,
  a3: 0n,
  a4: 0n,
  a5: 0n,
};

/** A recorded exit, after so many ticks. */
export function exitStop(event: EventOf<'kvm_exit'>, ticks: number): GuestStop {
  const { guest_rip: rip, rflags, interruptibility, cr8, a0, a1, a2, a3, a4, a5 } = event;
  return { why: 'exit', exit: exitOf(event), ticks, rip, rflags, interruptibility, cr8, a0, a1, a2, a3, a4, a5 };
}

/** What the processor said of an exit. */
export function exitOf(event: EventOf<'kvm_exit'> | EventOf<'sim:emulation_exited'>): VmExit {
  return {
    reason: event.exit_reason,
    qualification: event.info1,
    instructionLength: event.insn_len,
    instructionInfo: event.insn_info,
    interruptionInfo: event.intr_info,
    interruptionErrorCode: event.error_code,
    idtVectoringInfo: event.info2,
    idtVectoringErrorCode: event.idt_error_code,
    guestLinearAddress: event.gla,
    guestPhysicalAddress: event.gpa,
  };
}
