/** KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS: what is being delivered to a vCPU, and what waits. */
import { type KvmContext, REQ_TRIPLE_FAULT } from '../context.ts';
import type { VcpuEvents } from './ioctls.ts';
import type { VcpuState } from '../state.ts';

const VALID_NMI_PENDING = 1;
const VALID_SHADOW = 4;
/** VMCS guest interruptibility state: blocking by STI and MOV SS; by NMI. */
const SHADOW_BITS = 3;
const NMI_BLOCKED = 8;

export function getEvents(kvm: KvmContext, vcpu: VcpuState, out: VcpuEvents): number {
  const { exception, interrupt, nmi } = vcpu.events;
  const { interruptibility } = kvm.guest.position(vcpu.index);
  out.exception = {
    injected: exception.injected,
    pending: exception.pending,
    nr: exception.vector,
    hasErrorCode: exception.hasError,
    errorCode: exception.errorCode,
    payload: exception.payload,
  };
  out.interrupt = {
    injected: interrupt.injected && !interrupt.soft,
    nr: interrupt.vector,
    soft: false,
    shadow: interruptibility & SHADOW_BITS,
  };
  out.nmi = { injected: nmi.injected, pending: nmi.pending > 0, masked: (interruptibility & NMI_BLOCKED) !== 0 };
  out.sipiVector = 0;
  out.tripleFault = (vcpu.requests & REQ_TRIPLE_FAULT) !== 0;
  out.flags = VALID_NMI_PENDING | VALID_SHADOW;
  return 0;
}

export function setEvents(kvm: KvmContext, vcpu: VcpuState, e: VcpuEvents): number {
  const { exception, interrupt, nmi } = e;
  kvm.raise({
    kind: 'ioctl:KVM_SET_VCPU_EVENTS',
    vcpu_id: vcpu.index,
    exception_injected: exception.injected,
    exception_pending: exception.pending,
    exception_nr: exception.nr,
    has_error_code: exception.hasErrorCode,
    error_code: exception.errorCode,
    has_payload: exception.payload !== undefined,
    payload: exception.payload ?? 0n,
    interrupt_injected: interrupt.injected,
    interrupt_nr: interrupt.nr,
    interrupt_soft: interrupt.soft,
    shadow: interrupt.shadow,
    nmi_injected: nmi.injected,
    nmi_pending: nmi.pending,
    nmi_masked: nmi.masked,
    sipi_vector: e.sipiVector,
    triple_fault: e.tripleFault,
    flags: e.flags,
  });
  const registers = kvm.guest.registers(vcpu.index);
  const before = registers.interruptibility;
  const shadow = (e.flags & VALID_SHADOW) !== 0 ? interrupt.shadow & SHADOW_BITS : before & SHADOW_BITS;
  registers.interruptibility = (before & ~(SHADOW_BITS | NMI_BLOCKED)) | shadow | (nmi.masked ? NMI_BLOCKED : 0);
  return 0;
}
