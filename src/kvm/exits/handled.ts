import type { KvmContext } from '../context.ts';
import type { GuestStop } from '../guest.ts';
import { singleStepped } from '../guest-debug.ts';
import type { VcpuState } from '../state.ts';

const TRAP_FLAG = 0x100;

/** What a handler decided: enter the guest again, give up the turn first, or return to user space. */
export type Handled = 'resume' | 'yield' | 'userspace';

/** Handles one basic exit reason. Linux kvm_vmx_exit_handlers. */
export type ExitHandler = (kvm: KvmContext, vcpu: VcpuState, stop: GuestStop) => Handled;

/** kvm_skip_emulated_instruction. */
export function skip(kvm: KvmContext, vcpu: VcpuState, length: number): Handled {
  kvm.guest.skipInstruction(vcpu.index, length);
  const { at } = vcpu;
  const next = at.rip + BigInt(length);
  at.rip = (vcpu.control.efer & 0x400n) !== 0n ? BigInt.asUintN(64, next) : next & 0xffff_ffffn;
  at.interruptibility &= ~3;
  return (at.rflags & TRAP_FLAG) === 0 ? 'resume' : singleStepped(kvm, vcpu);
}

/** Skip the instruction that exited. */
export const skipExit: ExitHandler = (kvm, vcpu, stop) => skip(kvm, vcpu, stop.exit.instructionLength);
