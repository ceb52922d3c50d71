/** EPT violations and misconfigurations. SDM Vol. 3, Table 28-7; Linux handle_ept_violation, handle_ept_misconfig. */
import { type KvmContext, vmOf } from '../context.ts';
import { emulateFastWrite, violationErrorCode } from '../io/emulation.ts';
import { hasFastWrite } from '../io/eventfd.ts';
import { INTERRUPTION } from '../../x86/controls.ts';
import { field, QUALIFICATION } from '../../x86/exit-reasons.ts';
import type { GuestStop } from '../../x86/guest.ts';
import { handleMmioFault, handleTdpFault } from '../mmu/tdp-mmu.ts';
import type { VcpuState } from '../state.ts';
import { emulateExit } from './fetch.ts';
import type { Handled } from './handled.ts';
import { BLOCKED_BY } from '../../x86/registers.ts';

const { nmiUnblocked } = QUALIFICATION.EPT_VIOLATION;

/** Exit 48. */
export function handleEptViolation(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const { exit } = stop;
  const qualification = Number(exit.qualification);
  if (field(qualification, nmiUnblocked) !== 0 && exit.idtVectoringInfo < INTERRUPTION.VALID) {
    kvm.guest.registers(vcpu.index).interruptibility |= BLOCKED_BY.NMI;
  }
  kvm.raise({
    kind: 'kvm_page_fault',
    vcpu_id: vcpu.index,
    guest_rip: stop.rip,
    fault_address: BigInt(exit.guestPhysicalAddress),
    error_code: qualification,
  });
  const fault = handleTdpFault(kvm, vcpu, exit.guestPhysicalAddress, violationErrorCode(qualification));
  return fault === 'emulate' ? emulateExit(kvm, vcpu, stop) : 'resume';
}

/** Exit 49: an MMIO entry. */
export function handleEptMisconfig(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const gpa = stop.exit.guestPhysicalAddress;
  if (vmOf(kvm).ioeventfds.length > 0 && hasFastWrite(kvm, gpa)) return emulateFastWrite(kvm, vcpu, gpa);
  if (handleMmioFault(kvm, vcpu, gpa) === 'emulate') return emulateExit(kvm, vcpu, stop);
  return handleTdpFault(kvm, vcpu, gpa, 0) === 'emulate' ? emulateExit(kvm, vcpu, stop) : 'resume';
}
