import type { Handled } from '../io/userspace.ts';
import type { KvmContext } from '../context.ts';
import type { GuestStop } from '../../x86/guest.ts';
import { trapped } from '../vcpu/guest-debug.ts';
import type { VcpuState } from '../state.ts';
import { loadedVmcs } from '../vmcs/controls.ts';
import { EFER_LMA } from '../../x86/registers.ts';

/** Handles one basic exit reason. Linux kvm_vmx_exit_handlers. */
export type ExitHandler = (kvm: KvmContext, vcpu: VcpuState, stop: GuestStop) => Handled;

/** kvm_skip_emulated_instruction. */
export function skip(kvm: KvmContext, vcpu: VcpuState, length: number): Handled {
  const { rip, rflags } = kvm.guest.position(vcpu.index);
  const sum = rip + BigInt(length);
  const next = (loadedVmcs(vcpu).guestEfer & EFER_LMA) !== 0n ? BigInt.asUintN(64, sum) : sum & 0xffff_ffffn;
  kvm.guest.skipInstruction(vcpu.index, length, next);
  return trapped(kvm, vcpu, rflags);
}

/** Skip the instruction that exited. */
export const skipExit: ExitHandler = (kvm, vcpu, stop) => skip(kvm, vcpu, stop.exit.instructionLength);
