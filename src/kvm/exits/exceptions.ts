/** Exit 0: an exception KVM intercepts, or an NMI. SDM Vol. 3, 28.2; Linux handle_exception_nmi. */
import { INTERRUPTION } from '../../x86/controls.ts';
import type { KvmContext } from '../context.ts';
import type { GuestStop } from '../../x86/guest.ts';
import { debugsEvents, exitDebug, takesBreakpoints } from '../vcpu/guest-debug.ts';
import { writeGuest } from '../mmu/guest-memory.ts';
import type { VcpuState } from '../state.ts';
import { exitFor, KVM_EXIT_EXCEPTION } from '../io/userspace.ts';
import { AC, BP, DB, injectUd, MC, PF, queueException, UD } from '../vcpu/exceptions.ts';
import { fetchInstruction, type FetchedInstruction, traceEmulation } from './fetch.ts';
import { type Handled, skip } from './handled.ts';
import { emulateSyscall } from './syscall.ts';
import { VECTOR } from '../../x86/exceptions.ts';

/** Exit 0. */
export function handleException(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const info = stop.exit.interruptionInfo;
  const vector = info & INTERRUPTION.VECTOR;
  const type = info & INTERRUPTION.TYPE;
  if (type === INTERRUPTION.NMI && vector === VECTOR.NMI) return 'resume';
  switch (vector) {
    case UD:
      return handleUd(kvm, vcpu);
    case DB:
      return handleDb(kvm, vcpu, stop, type);
    case BP:
      if (takesBreakpoints(vcpu)) return exitDebug(kvm, vcpu, BP, 0n);
      queueException(kvm, vcpu, { vector: BP });
      return 'resume';
    case AC:
      queueException(kvm, vcpu, { vector: AC, errorCode: stop.exit.interruptionErrorCode });
      return 'resume';
    case PF:
      queueException(kvm, vcpu, {
        vector: PF,
        errorCode: stop.exit.interruptionErrorCode,
        payload: stop.exit.qualification,
      });
      return 'resume';
    case MC:
      return 'resume';
    default:
      return exitFor(KVM_EXIT_EXCEPTION);
  }
}

function handleDb(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop, type: number): Handled {
  if (debugsEvents(vcpu)) return exitDebug(kvm, vcpu, DB, stop.exit.qualification);
  if (type === INTERRUPTION.PRIVILEGED_EXCEPTION) skip(kvm, vcpu, stop.exit.instructionLength);
  queueException(kvm, vcpu, { vector: DB, payload: stop.exit.qualification });
  return 'resume';
}

const VMCALL = Uint8Array.of(0x0f, 0x01, 0xc1);

/**
 * handle_ud: a hypercall in the other vendor's spelling is patched in guest memory, SYSCALL performed for a guest of
 * the other vendor; all else is the guest's #UD.
 */
function handleUd(kvm: KvmContext, vcpu: VcpuState): Handled {
  const fetched = fetchInstruction(kvm, vcpu);
  if (fetched !== undefined) {
    const { bytes } = fetched;
    const isVmmcall = bytes[0] === 0x0f && bytes[1] === 0x01 && bytes[2] === 0xd9;
    traceEmulation(kvm, fetched, isVmmcall ? 3 : udLength(bytes));
    if (isVmmcall && patch(kvm, fetched)) return 'resume';
    if (bytes[0] === 0x0f && bytes[1] === 0x05 && emulateSyscall(kvm, vcpu)) return 'resume';
  }
  injectUd(kvm, vcpu);
  return 'resume';
}

/** How much of an undefined instruction KVM's decoder looks at: its opcode. */
const udLength = (bytes: Uint8Array): number => (bytes[0] === 0x0f ? 2 : 1);

function patch(kvm: KvmContext, fetched: FetchedInstruction): boolean {
  return fetched.bytes.length >= 3 && writeGuest(kvm, fetched.gpa, VMCALL);
}
