/** What a VM entry injects, and which windows it asks for. Linux kvm_check_and_inject_events; SDM Vol. 3, 27.6. */
import { type KvmContext, REQ_EVENT, request, vmOf } from '../context.ts';
import { acknowledgeInterrupt, pendingInterrupt, tprThreshold } from '../irqchip/index.ts';
import { guestDr, setGuestDr } from '../guest-debug.ts';
import type { VcpuState } from '../state.ts';
import { INTERRUPT_WINDOW, NMI_WINDOW, primaryBits, writeControl } from '../vmcs/controls.ts';
import { BP, DB, DF, MC, OF } from './exceptions.ts';

/** VM-entry interruption-information types. SDM Vol. 3, Table 25-17. */
const TYPE_EXTERNAL = 0;
const TYPE_NMI = 2;
const TYPE_HARDWARE = 3;
const TYPE_SOFTWARE_INTERRUPT = 4;
const TYPE_SOFTWARE_EXCEPTION = 6;
const DELIVER_ERROR_CODE = 0x800;
const VALID = 0x8000_0000;
const NMI_VECTOR = 2;

/** Traps and aborts: RF stays as it is. Linux exception_type. */
const NOT_FAULTS = [BP, OF, DF, MC];

const IF = 0x200;
const RF = 0x10000n;
/** Interruptibility: blocking by STI, by MOV SS, by NMI. SDM Vol. 3, Table 25-3. */
export const BLOCKED_BY_STI = 1;
export const BLOCKED_BY_MOV_SS = 2;
export const BLOCKED_BY_NMI = 8;

/** What the next entry injects; `info` 0 is nothing. */
export interface Injection {
  info: number;
  errorCode: number;
  length: number;
}

/** vmx_interrupt_allowed. */
export function interruptAllowed(vcpu: VcpuState): boolean {
  const { rflags, interruptibility } = vcpu.at;
  return (rflags & IF) !== 0 && (interruptibility & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)) === 0;
}

/** vmx_nmi_allowed. */
export function nmiAllowed(vcpu: VcpuState): boolean {
  return (vcpu.at.interruptibility & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS | BLOCKED_BY_NMI)) === 0;
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
    setInjection(injection, NMI_VECTOR, TYPE_NMI, 0);
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
  injectIrq(kvm, vcpu, injection, busy || nmi.injected);
  updateCr8Intercept(kvm, vcpu);
}

function setInjection(injection: Injection, vector: number, type: number, length: number): void {
  injection.info = (VALID | vector | (type << 8)) >>> 0;
  injection.length = length;
}

/** The moment a pending exception becomes the processor's: its payload reaches DR6 or CR2. */
function deliver(kvm: KvmContext, vcpu: VcpuState): void {
  const { exception } = vcpu.events;
  const registers = kvm.guest.registers(vcpu.index);
  if (exception.vector === DB) {
    setGuestDr(kvm, vcpu, 7, guestDr(kvm, vcpu, 7) & ~0x2000n);
  } else if (!NOT_FAULTS.includes(exception.vector)) {
    registers.rflags |= RF;
  }
  if (exception.payload !== undefined) deliverPayload(kvm, vcpu);
  exception.pending = false;
  exception.injected = true;
}

/** kvm_deliver_exception_payload. */
function deliverPayload(kvm: KvmContext, vcpu: VcpuState): void {
  const { exception } = vcpu.events;
  const registers = kvm.guest.registers(vcpu.index);
  const payload = exception.payload ?? 0n;
  // DR6: trap bits replaced, bits that read as one stay; bit 16 (RTM) is active low.
  if (exception.vector === DB) registers.setDr(6, (registers.dr(6) & ~0xfn) | 0xffff0ff0n | (payload & 0xe00fn));
  else registers.cr2 = payload;
  exception.payload = undefined;
}

function injectException(kvm: KvmContext, vcpu: VcpuState, injection: Injection, again: boolean): void {
  const { exception, instructionLength } = vcpu.events;
  kvm.host.raise({
    kind: 'kvm_inj_exception',
    exception: exception.vector,
    has_error: exception.hasError ? 1 : 0,
    error_code: exception.errorCode,
    reinjected: again,
  });
  const software = exception.vector === BP || exception.vector === OF;
  setInjection(
    injection,
    exception.vector,
    software ? TYPE_SOFTWARE_EXCEPTION : TYPE_HARDWARE,
    software ? instructionLength : 0,
  );
  if (exception.hasError) {
    injection.info = (injection.info | DELIVER_ERROR_CODE) >>> 0;
    injection.errorCode = exception.errorCode;
  }
}

function injectInterrupt(kvm: KvmContext, vcpu: VcpuState, injection: Injection, again: boolean): void {
  const { vector, soft } = vcpu.events.interrupt;
  kvm.host.raise({ kind: 'kvm_inj_virq', vector, soft, reinjected: again });
  const type = soft ? TYPE_SOFTWARE_INTERRUPT : TYPE_EXTERNAL;
  setInjection(injection, vector, type, soft ? vcpu.events.instructionLength : 0);
}

function injectNmi(kvm: KvmContext, vcpu: VcpuState, injection: Injection, busy: boolean): void {
  const { nmi } = vcpu.events;
  if (nmi.pending === 0) return;
  if (!busy && nmiAllowed(vcpu)) {
    nmi.pending -= 1;
    nmi.injected = true;
    setInjection(injection, NMI_VECTOR, TYPE_NMI, 0);
  }
  if (nmi.pending === 0) return;
  // With blocking by STI an NMI window would not open: the interrupt window comes first.
  if ((vcpu.at.interruptibility & BLOCKED_BY_STI) !== 0) primaryBits(kvm, vcpu, INTERRUPT_WINDOW, true);
  else primaryBits(kvm, vcpu, NMI_WINDOW, true);
}

function injectIrq(kvm: KvmContext, vcpu: VcpuState, injection: Injection, busy: boolean): void {
  const { irqchip } = vmOf(kvm);
  if (irqchip === undefined) {
    userIrq(kvm, vcpu, busy);
    return;
  }
  if (pendingInterrupt(irqchip, vcpu.index) < 0) return;
  if (!busy && interruptAllowed(vcpu)) {
    const { interrupt } = vcpu.events;
    interrupt.vector = acknowledgeInterrupt(irqchip, vcpu.index, kvm.irq);
    interrupt.injected = true;
    interrupt.soft = false;
    injectInterrupt(kvm, vcpu, injection, false);
    if (pendingInterrupt(irqchip, vcpu.index) < 0) return;
  }
  primaryBits(kvm, vcpu, INTERRUPT_WINDOW, true);
}

/** Without an in-kernel controller user space queues the vector by KVM_INTERRUPT, or asks for a window. */
function userIrq(kvm: KvmContext, vcpu: VcpuState, busy: boolean): void {
  if (vcpu.run.requestInterruptWindow && (busy || !interruptAllowed(vcpu))) {
    primaryBits(kvm, vcpu, INTERRUPT_WINDOW, true);
  }
}

function updateCr8Intercept(kvm: KvmContext, vcpu: VcpuState): void {
  const { irqchip } = vmOf(kvm);
  if (irqchip === undefined) return;
  const threshold = tprThreshold(irqchip, vcpu.index);
  if (threshold !== vcpu.vmcs.tprThreshold) writeControl(kvm, vcpu, 'tprThreshold', threshold);
}

/**
 * vmx_complete_interrupts: an event whose delivery an exit interrupted is queued again.
 * SDM Vol. 3, 25.9.3: IDT-vectoring information.
 */
export function completeInterrupts(vcpu: VcpuState, info: number, errorCode: number, length: number): void {
  const { exception, nmi, interrupt } = vcpu.events;
  nmi.injected = false;
  exception.injected = false;
  interrupt.injected = false;
  if (info < VALID) return;
  request(vcpu, REQ_EVENT);
  const vector = info & 0xff;
  const type = (info >>> 8) & 7;
  vcpu.events.instructionLength = length;
  switch (type) {
    case TYPE_NMI:
      nmi.injected = true;
      vcpu.at.interruptibility &= ~BLOCKED_BY_NMI;
      return;
    case TYPE_HARDWARE:
    case TYPE_SOFTWARE_EXCEPTION:
    case 5:
      exception.injected = true;
      exception.pending = false;
      exception.vector = vector;
      exception.hasError = (info & DELIVER_ERROR_CODE) !== 0;
      exception.errorCode = errorCode;
      return;
    case TYPE_EXTERNAL:
    case TYPE_SOFTWARE_INTERRUPT:
      interrupt.injected = true;
      interrupt.vector = vector;
      interrupt.soft = type === TYPE_SOFTWARE_INTERRUPT;
      return;
    default:
  }
}
