/** What a VM entry injects, and which windows it asks for. Linux kvm_check_and_inject_events; SDM Vol. 3, 27.6. */
import { type KvmContext, vmOf } from '../context.ts';
import { acknowledgeInterrupt, pendingInterrupt, tprThreshold } from '../irqchip/index.ts';
import { guestDr, setGuestDr } from './guest-debug.ts';
import type { VcpuState } from '../state.ts';
import { INTERRUPTION, PRIMARY } from '../../x86/controls.ts';
import { loadedVmcs, primaryBits, writeVmcs } from '../vmcs/controls.ts';
import { BP, DB, DF, MC, OF } from './exceptions.ts';
import { BLOCKED_BY, DR6_ONES, DR7_GD, RFLAGS, RFLAGS_RF } from '../../x86/registers.ts';
import { VECTOR } from '../../x86/exceptions.ts';

const NMI_VECTOR = VECTOR.NMI;

/** Traps and aborts: RF stays as it is. Linux exception_type. */
const NOT_FAULTS: readonly number[] = [BP, OF, DF, MC];

/** What the next entry injects; `info` 0 is nothing. */
export interface Injection {
  info: number;
  errorCode: number;
  length: number;
}

/** vmx_interrupt_allowed. */
export function interruptAllowed(kvm: KvmContext, vcpu: VcpuState): boolean {
  const { rflags, interruptibility } = kvm.guest.position(vcpu.index);
  return (rflags & RFLAGS.IF) !== 0 && (interruptibility & (BLOCKED_BY.STI | BLOCKED_BY.MOV_SS)) === 0;
}

/** vmx_nmi_allowed. */
export function nmiAllowed(kvm: KvmContext, vcpu: VcpuState): boolean {
  const { interruptibility } = kvm.guest.position(vcpu.index);
  return (interruptibility & (BLOCKED_BY.STI | BLOCKED_BY.MOV_SS | BLOCKED_BY.NMI)) === 0;
}

/** kvm_cpu_has_injectable_intr: a vector waits, or -1. */
export function waitingInterrupt(kvm: KvmContext, vcpu: VcpuState): number {
  const { irqchip } = vmOf(kvm);
  return irqchip === undefined ? -1 : pendingInterrupt(irqchip, vcpu.index);
}

/** Choose the event of this entry: first what an exit interrupted, then exceptions, NMIs, interrupts. */
export function checkAndInject(kvm: KvmContext, vcpu: VcpuState, injection: Injection): void {
  const { exception, nmi, interrupt } = vcpu.events;
  let busy = false;
  if (exception.injected) {
    injectException(kvm, vcpu, injection, true);
    busy = true;
  } else if (!exception.pending && nmi.injected) {
    setInjection(injection, NMI_VECTOR, INTERRUPTION.NMI, 0);
    busy = true;
  } else if (!exception.pending && interrupt.injected) {
    injectInterrupt(kvm, vcpu, injection, true);
    busy = true;
  }
  if (exception.pending && !busy) {
    deliver(kvm, vcpu);
    injectException(kvm, vcpu, injection, false);
    busy = true;
  }
  injectNmi(kvm, vcpu, injection, busy);
  injectIrq(kvm, vcpu, injection, busy || vcpu.events.nmi.injected);
  updateCr8Intercept(kvm, vcpu);
}

function setInjection(injection: Injection, vector: number, type: number, length: number): void {
  injection.info = (INTERRUPTION.VALID | vector | type) >>> 0;
  injection.length = length;
}

/** The moment a pending exception becomes the processor's: its payload reaches DR6 or CR2. */
function deliver(kvm: KvmContext, vcpu: VcpuState): void {
  const { vector, payload } = vcpu.events.exception;
  const registers = kvm.guest.registers(vcpu.index);
  if (vector === DB) {
    setGuestDr(kvm, vcpu, 7, guestDr(kvm, vcpu, 7) & ~DR7_GD);
  } else if (!NOT_FAULTS.includes(vector)) {
    registers.rflags |= RFLAGS_RF;
  }
  if (payload === undefined) return;
  // DR6: trap bits replaced, bits that read as one stay; bit 16 (RTM) is active low.
  if (vector === DB) registers.setDr(6, (registers.dr(6) & ~0xfn) | DR6_ONES | (payload & 0xe00fn));
  else registers.cr2 = payload;
}

function injectException(kvm: KvmContext, vcpu: VcpuState, injection: Injection, again: boolean): void {
  const { vector, hasError, errorCode, cause } = vcpu.events.exception;
  const { instructionLength } = vcpu.events;
  const fact = { exception: vector, has_error: hasError ? 1 : 0, error_code: errorCode, reinjected: again };
  kvm.after(cause).raise({ kind: 'kvm_inj_exception', ...fact });
  const software = vector === BP || vector === OF;
  const type = software ? INTERRUPTION.SOFTWARE_EXCEPTION : INTERRUPTION.HARDWARE_EXCEPTION;
  setInjection(injection, vector, type, software ? instructionLength : 0);
  if (!hasError) return;
  injection.info = (injection.info | INTERRUPTION.ERROR_CODE) >>> 0;
  injection.errorCode = errorCode;
}

function injectInterrupt(kvm: KvmContext, vcpu: VcpuState, injection: Injection, again: boolean): void {
  const { vector, soft, cause } = vcpu.events.interrupt;
  kvm.after(cause).raise({ kind: 'kvm_inj_virq', vector, soft, reinjected: again });
  const type = soft ? INTERRUPTION.SOFTWARE_INTERRUPT : INTERRUPTION.EXTERNAL;
  setInjection(injection, vector, type, soft ? vcpu.events.instructionLength : 0);
}

function injectNmi(kvm: KvmContext, vcpu: VcpuState, injection: Injection, busy: boolean): void {
  const { nmi } = vcpu.events;
  if (nmi.pending === 0) return;
  if (!busy && nmiAllowed(kvm, vcpu)) {
    kvm.after(nmi.cause).raise({ kind: 'sim:inj_nmi', vcpu_id: vcpu.index });
    setInjection(injection, NMI_VECTOR, INTERRUPTION.NMI, 0);
  }
  if (vcpu.events.nmi.pending === 0) return;
  const isBlockedBySti = (kvm.guest.position(vcpu.index).interruptibility & BLOCKED_BY.STI) !== 0;
  // With blocking by STI an NMI window would not open: the interrupt window comes first.
  primaryBits(
    kvm,
    loadedVmcs(vcpu),
    isBlockedBySti ? PRIMARY.INTERRUPT_WINDOW_EXITING : PRIMARY.NMI_WINDOW_EXITING,
    true,
  );
}

function injectIrq(kvm: KvmContext, vcpu: VcpuState, injection: Injection, busy: boolean): void {
  const { irqchip } = vmOf(kvm);
  if (irqchip === undefined) {
    userIrq(kvm, vcpu, busy);
    return;
  }
  if (pendingInterrupt(irqchip, vcpu.index) < 0) return;
  if (!busy && interruptAllowed(kvm, vcpu)) {
    acknowledgeInterrupt(kvm, vcpu.index);
    injectInterrupt(kvm, vcpu, injection, false);
    if (pendingInterrupt(irqchip, vcpu.index) < 0) return;
  }
  primaryBits(kvm, loadedVmcs(vcpu), PRIMARY.INTERRUPT_WINDOW_EXITING, true);
}

/** Without an in-kernel controller user space queues the vector by KVM_INTERRUPT, or asks for a window. */
function userIrq(kvm: KvmContext, vcpu: VcpuState, busy: boolean): void {
  if (vcpu.run.requestInterruptWindow && (busy || !interruptAllowed(kvm, vcpu))) {
    primaryBits(kvm, loadedVmcs(vcpu), PRIMARY.INTERRUPT_WINDOW_EXITING, true);
  }
}

function updateCr8Intercept(kvm: KvmContext, vcpu: VcpuState): void {
  const { irqchip } = vmOf(kvm);
  if (irqchip !== undefined)
    writeVmcs(kvm, loadedVmcs(vcpu), 'tprThreshold', tprThreshold(irqchip.lapics[vcpu.index]!));
}
