/** KVM_RUN: one turn of vcpu_run and vcpu_enter_guest. Linux arch/x86/kvm/x86.c. */
import type { VcpuProgress } from '../api.ts';
import { updateGuestTime, updateMasterClock } from '../clock/kvmclock.ts';
import { recordStealTime } from '../clock/steal-time.ts';
import {
  type KvmContext,
  REQ_CLOCK_UPDATE,
  REQ_EVENT,
  REQ_GLOBAL_CLOCK_UPDATE,
  REQ_MASTERCLOCK_UPDATE,
  REQ_STEAL_UPDATE,
  REQ_TLB_FLUSH,
  REQ_LOAD_MMU_PGD,
  REQ_TRIPLE_FAULT,
  request,
  requestAll,
  vmOf,
} from '../context.ts';
import { completeRead, completeStringIn, performWrites } from '../emulation.ts';
import { EINTR } from '../errno.ts';
import type { Handled } from '../exits/handled.ts';
import { skip } from '../exits/handled.ts';
import { completeIn } from '../exits/io.ts';
import { completeMsr, unexpected } from '../exits/registers.ts';
import { EXIT_EXTERNAL_INTERRUPT, EXIT_HANDLERS, EXIT_PREEMPTION_TIMER, serveTripleFault } from '../exits/table.ts';
import type { GuestStop, VmExit } from '../guest.ts';
import { DEBUG_SINGLESTEP } from '../guest-debug.ts';
import { taskPriority, writeTaskPriority } from '../irqchip/index.ts';
import { loadRoot } from '../mmu/tdp-mmu.ts';
import type { VcpuState } from '../state.ts';
import { exitInternal, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_INTR, SUBERROR_DELIVERY_EVENT } from '../userspace.ts';
import { executionControls, MOV_DR_EXITING, PLE_WINDOW, primaryBits, writeControl } from '../vmcs/controls.ts';
import { checkEntry, type EntryFailure } from '../vmcs/entry-checks.ts';
import { block, tryWake } from './blocking.ts';
import { acceptApicEvents } from './create.ts';
import { checkAndInject, completeInterrupts, type Injection } from './injection.ts';
import { offerPvEoi, takePvEoi } from './pv-eoi.ts';

const VMX_ISA = 1;
/** The host's timer vector, which took the guest out (LOCAL_TIMER_VECTOR). */
const HOST_TIMER = 0x800000ec;
const IF = 0x200;
const NOTHING: Injection = { info: 0, errorCode: 0, length: 0 };

/** The user-space side of KVM_RUN: begin, unless told to leave at once. */
export function beginRun(vcpu: VcpuState): void {
  vcpu.running = true;
  vcpu.runResult = 0;
}

/** Everything up to the next VM exit and its handling. */
export function advanceVcpu(kvm: KvmContext, vcpu: VcpuState, budget: number): VcpuProgress {
  if (vcpu.inGuest) return runGuest(kvm, vcpu, budget, NOTHING);
  if (!vcpu.running) beginRun(vcpu);
  if (vcpu.mpState === 0) noteWaiting(kvm, vcpu);
  if (vcpu.pending !== undefined && complete(kvm, vcpu) === 'userspace') return leave(kvm, vcpu, 0);
  if (vcpu.run.immediateExit) {
    vcpu.run.exitReason = KVM_EXIT_INTR;
    return leave(kvm, vcpu, -EINTR);
  }
  if (vcpu.mpState !== 0 && !tryWake(kvm, vcpu)) return 'blocked';
  if (vcpu.at.stale) refresh(kvm, vcpu);
  if (vcpu.requests !== 0 && serveRequests(kvm, vcpu) === 'userspace') return leave(kvm, vcpu, 0);
  if (vcpu.mpState !== 0) return 'blocked';
  return enter(kvm, vcpu, budget);
}

/** Time that passed while others had their turn is stolen; published before the entry. */
function noteWaiting(kvm: KvmContext, vcpu: VcpuState): void {
  const now = kvm.host.now();
  const waited = vcpu.ranUntil < 0 ? 0 : now - vcpu.ranUntil;
  vcpu.ranUntil = now;
  if (waited === 0) return;
  vcpu.pv.stealNs += waited;
  request(vcpu, REQ_STEAL_UPDATE);
  shrinkPleWindow(kvm, vcpu);
}

/** vmx_sched_in: a vCPU that gave way spins no longer than at first before it exits again. */
function shrinkPleWindow(kvm: KvmContext, vcpu: VcpuState): void {
  const old = vcpu.pleWindow;
  if (old === PLE_WINDOW) return;
  vcpu.pleWindow = PLE_WINDOW;
  kvm.host.raise({ kind: 'kvm_ple_window_update', vcpu_id: vcpu.index, new: PLE_WINDOW, old });
  writeControl(kvm, vcpu, 'pleWindow', PLE_WINDOW);
}

/** vcpu->arch.complete_userspace_io: finish what user space was asked for. */
function complete(kvm: KvmContext, vcpu: VcpuState): Handled {
  const pending = vcpu.pending!;
  vcpu.pending = undefined;
  switch (pending.kind) {
    case 'pio-in':
      return completeIn(kvm, vcpu, pending.port, pending.size, pending.rax, pending.instructionLength);
    case 'pio-out':
      return pending.instructionLength === 0 ? 'resume' : skip(kvm, vcpu, pending.instructionLength);
    case 'string-in':
      return completeStringIn(kvm, vcpu, pending.port, pending.size, pending.count);
    case 'mmio-read':
      return completeRead(kvm, vcpu, pending);
    case 'mmio-write':
      return performWrites(kvm, vcpu);
    case 'rdmsr':
    case 'wrmsr':
      return completeMsr(kvm, vcpu, pending.kind === 'rdmsr', pending.instructionLength);
    default:
      return 'resume';
  }
}

/** Registers changed behind KVM's back (an ioctl, the emulator): look again. */
function refresh(kvm: KvmContext, vcpu: VcpuState): void {
  const registers = kvm.guest.registers(vcpu.index);
  const { at } = vcpu;
  at.rip = registers.rip;
  at.rflags = Number(registers.rflags);
  at.interruptibility = registers.interruptibility;
  at.stale = false;
}

/** vcpu_enter_guest's requests, in its order. */
function serveRequests(kvm: KvmContext, vcpu: VcpuState): Handled {
  const requests = vcpu.requests;
  if ((requests & (REQ_LOAD_MMU_PGD | REQ_TLB_FLUSH)) !== 0) vcpu.requests &= ~(REQ_LOAD_MMU_PGD | REQ_TLB_FLUSH);
  if ((requests & REQ_MASTERCLOCK_UPDATE) !== 0) {
    vcpu.requests &= ~REQ_MASTERCLOCK_UPDATE;
    updateMasterClock(kvm);
  }
  if ((requests & REQ_GLOBAL_CLOCK_UPDATE) !== 0) {
    vcpu.requests &= ~REQ_GLOBAL_CLOCK_UPDATE;
    requestAll(kvm, REQ_CLOCK_UPDATE);
  }
  if ((vcpu.requests & REQ_CLOCK_UPDATE) !== 0) {
    vcpu.requests &= ~REQ_CLOCK_UPDATE;
    updateGuestTime(kvm, vcpu);
  }
  if ((requests & REQ_TRIPLE_FAULT) !== 0) return serveTripleFault(vcpu);
  if ((requests & REQ_STEAL_UPDATE) !== 0) {
    vcpu.requests &= ~REQ_STEAL_UPDATE;
    recordStealTime(kvm, vcpu);
  }
  return 'resume';
}

/** Choose what to inject, bring the controls up to date, check, enter. */
function enter(kvm: KvmContext, vcpu: VcpuState, budget: number): VcpuProgress {
  let injection = NOTHING;
  if ((vcpu.requests & REQ_EVENT) !== 0 || vcpu.run.requestInterruptWindow) {
    vcpu.requests &= ~REQ_EVENT;
    acceptApicEvents(kvm, vcpu);
    if (vcpu.mpState !== 0) return 'blocked';
    if (vcpu.at.stale) refresh(kvm, vcpu);
    injection = { info: 0, errorCode: 0, length: 0 };
    checkAndInject(kvm, vcpu, injection);
    offerPvEoi(kvm, vcpu);
    if ((injection.info & 0x700) === 0x200) unblockNmi(kvm, vcpu);
  }
  const eptPointer = loadRoot(kvm);
  if (eptPointer !== Number(vcpu.vmcs.eptPointer)) writeControl(kvm, vcpu, 'eptPointer', BigInt(eptPointer));
  syncTaskPriority(kvm, vcpu);
  // A step over STI or MOV SS takes the shadow away: entry with TF set refuses one.
  if (vcpu.guestDebug.control !== 0 && (vcpu.at.interruptibility & 3) !== 0) dropShadow(kvm, vcpu);
  if (vcpu.vmcs.changed) {
    vcpu.vmcs.changed = false;
    kvm.guest.setControls(vcpu.index, executionControls(vcpu.vmcs, vmOf(kvm).msrFilter));
  }
  kvm.host.raise({
    kind: 'kvm_entry',
    vcpu_id: vcpu.index,
    rip: vcpu.at.rip,
    immediate_exit: false,
    intr_info: injection.info,
    error_code: injection.errorCode,
  });
  if (vcpu.checkEntry) {
    vcpu.checkEntry = false;
    const failure = checkEntry(kvm, vcpu);
    if (failure !== undefined) return failEntry(kvm, vcpu, failure);
  }
  return runGuest(kvm, vcpu, budget, injection);
}

function dropShadow(kvm: KvmContext, vcpu: VcpuState): void {
  if ((vcpu.guestDebug.control & DEBUG_SINGLESTEP) === 0) return;
  kvm.guest.registers(vcpu.index).interruptibility &= ~3;
  vcpu.at.interruptibility &= ~3;
}

/** An injected NMI sets the blocking itself; VM entry refuses it where the blocking is there already. */
function unblockNmi(kvm: KvmContext, vcpu: VcpuState): void {
  const registers = kvm.guest.registers(vcpu.index);
  if ((registers.interruptibility & 8) !== 0) registers.interruptibility &= ~8;
}

/** Hand the LAPIC's task priority to the TPR shadow when software changed it. */
function syncTaskPriority(kvm: KvmContext, vcpu: VcpuState): void {
  const { irqchip } = vmOf(kvm);
  const wanted = irqchip === undefined ? vcpu.run.cr8 : taskPriority(irqchip, vcpu.index);
  if (wanted === vcpu.at.cr8) return;
  kvm.guest.registers(vcpu.index).cr8 = wanted;
  vcpu.at.cr8 = wanted;
}

/** VMfail (error 7 or 8) or the exit hardware makes of invalid guest state: user space learns that entry failed. */
function failEntry(kvm: KvmContext, vcpu: VcpuState, failure: EntryFailure): VcpuProgress {
  const reason = failure.kind === 'fail' ? failure.error : failure.reason;
  const group = reason === 7 ? 'controls' : reason === 8 ? 'host' : 'guest';
  kvm.host.raise({ kind: 'sim:vmentry_check', vcpu_id: vcpu.index, group, failed: failure.what });
  vcpu.run.exitReason = KVM_EXIT_FAIL_ENTRY;
  vcpu.run.failEntry = { reason: BigInt(reason), cpu: 0 };
  return leave(kvm, vcpu, 0);
}

function runGuest(kvm: KvmContext, vcpu: VcpuState, budget: number, injection: Injection): VcpuProgress {
  vcpu.inGuest = true;
  const stop = kvm.guest.run(vcpu.index, budget, injection);
  if (stop.why === 'break') return 'entered';
  vcpu.inGuest = false;
  vcpu.exits += 1;
  const { at } = vcpu;
  at.rip = stop.rip;
  at.rflags = stop.rflags;
  at.interruptibility = stop.interruptibility;
  at.stale = false;
  takeTaskPriority(kvm, vcpu, stop.cr8);
  const exit = stop.why === 'budget' ? timerExit(kvm, vcpu, stop.exit) : stop.exit;
  raiseExit(kvm, vcpu, stop, exit);
  completeInterrupts(vcpu, exit.idtVectoringInfo, exit.idtVectoringErrorCode, exit.instructionLength);
  if (vcpu.pv.eoiPending) takePvEoi(kvm, vcpu);
  if ((vcpu.vmcs.primary & MOV_DR_EXITING) === 0) primaryBits(kvm, vcpu, MOV_DR_EXITING, true);
  const handled = handleExit(kvm, vcpu, stop, exit);
  vcpu.ranUntil = kvm.host.now();
  if (vcpu.mpState !== 0) block(kvm, vcpu);
  if (handled === 'userspace') return leave(kvm, vcpu, 0);
  return handled === 'yield' ? 'yielded' : 'entered';
}

function takeTaskPriority(kvm: KvmContext, vcpu: VcpuState, cr8: number): void {
  if (cr8 === vcpu.at.cr8) return;
  vcpu.at.cr8 = cr8;
  const { irqchip } = vmOf(kvm);
  if (irqchip !== undefined) writeTaskPriority(irqchip, vcpu.index, cr8, kvm.irq);
  else vcpu.run.cr8 = cr8;
}

/** A run that ended with its budget: the vCPU's own timer (52), or the host's tick (1). */
function timerExit(kvm: KvmContext, vcpu: VcpuState, blank: VmExit): VmExit {
  const expiresAt = vmOf(kvm).irqchip?.lapics[vcpu.index]?.timer.expiresAt;
  const isOwn = expiresAt !== undefined && expiresAt <= kvm.host.now();
  return {
    ...blank,
    reason: isOwn ? EXIT_PREEMPTION_TIMER : EXIT_EXTERNAL_INTERRUPT,
    qualification: 0n,
    instructionLength: 0,
    instructionInfo: 0,
    interruptionInfo: isOwn ? 0 : HOST_TIMER,
    interruptionErrorCode: 0,
    idtVectoringInfo: 0,
    idtVectoringErrorCode: 0,
    guestLinearAddress: 0n,
    guestPhysicalAddress: 0,
  };
}

function raiseExit(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop, exit: VmExit): void {
  kvm.host.raise({
    kind: 'kvm_exit',
    exit_reason: exit.reason,
    guest_rip: stop.rip,
    isa: VMX_ISA,
    info1: exit.qualification,
    info2: exit.idtVectoringInfo,
    intr_info: exit.interruptionInfo,
    error_code: exit.interruptionErrorCode,
    vcpu_id: vcpu.index,
    requests: vcpu.requests,
    ticks: stop.ticks,
    rflags: stop.rflags,
    interruptibility: stop.interruptibility,
    cr8: stop.cr8,
    insn_len: exit.instructionLength,
    insn_info: exit.instructionInfo,
    idt_error_code: exit.idtVectoringErrorCode,
    gla: exit.guestLinearAddress,
    gpa: exit.guestPhysicalAddress,
    a0: stop.a0,
    a1: stop.a1,
    a2: stop.a2,
    a3: stop.a3,
    a4: stop.a4,
    a5: stop.a5,
  });
}

const FAILED_ENTRY = 0x80000000;
/** Exits that may interrupt the delivery of an event. */
const DURING_DELIVERY = [0, 9, 44, 48, 49, 52, 62, 75];

/** vmx_handle_exit. */
function handleExit(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop, exit: VmExit): Handled {
  if (exit.reason >= FAILED_ENTRY) {
    vcpu.run.exitReason = KVM_EXIT_FAIL_ENTRY;
    vcpu.run.failEntry = { reason: BigInt(exit.reason), cpu: 0 };
    return 'userspace';
  }
  if (exit.idtVectoringInfo >= FAILED_ENTRY && !DURING_DELIVERY.includes(exit.reason)) {
    exitInternal(vcpu, SUBERROR_DELIVERY_EVENT, [
      BigInt(exit.idtVectoringInfo),
      BigInt(exit.reason),
      exit.qualification,
    ]);
    return 'userspace';
  }
  const handler = EXIT_HANDLERS[exit.reason] ?? unexpected;
  return handler(kvm, vcpu, stop);
}

/** KVM_RUN returns. */
function leave(kvm: KvmContext, vcpu: VcpuState, errno: number): VcpuProgress {
  vcpu.running = false;
  vcpu.runResult = errno;
  const { run } = vcpu;
  run.ifFlag = (vcpu.at.rflags & IF) !== 0;
  run.readyForInterruptInjection =
    run.ifFlag && (vcpu.at.interruptibility & 3) === 0 && !vcpu.events.interrupt.injected;
  const { irqchip } = vmOf(kvm);
  if (irqchip !== undefined) run.cr8 = vcpu.at.cr8;
  kvm.host.raise({ kind: 'kvm_userspace_exit', reason: run.exitReason, errno });
  return 'userspace';
}
