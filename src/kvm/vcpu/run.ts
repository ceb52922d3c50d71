/** KVM_RUN: one turn of vcpu_run and vcpu_enter_guest. Linux arch/x86/kvm/x86.c. */
import type { KvmRunAnswer, VcpuProgress } from '../api.ts';
import { updateGuestTime, updateMasterClock } from '../clock/kvmclock.ts';
import { recordStealTime } from '../clock/steal-time.ts';
import {
  type KvmContext,
  REQ_CLOCK_UPDATE,
  REQ_EVENT,
  REQ_GLOBAL_CLOCK_UPDATE,
  REQ_MASTERCLOCK_UPDATE,
  REQ_STEAL_UPDATE,
  REQ_TRIPLE_FAULT,
  request,
  vmOf,
} from '../context.ts';
import { completeRead, completeStringIn, completeStringOut, completeWrites } from '../io/emulation.ts';
import { EINTR } from '../../base/errno.ts';
import {
  exitFailedEntry,
  exitFor,
  exitInternal,
  type Handled,
  KVM_EXIT_INTR,
  KVM_EXIT_SHUTDOWN,
  SUBERROR_DELIVERY_EVENT,
  type UserspaceExit,
} from '../io/userspace.ts';
import { completeIn, completeOut } from '../exits/io.ts';
import { completeMsr, unexpected } from '../exits/registers.ts';
import { exitOwner } from '../exits/owner.ts';
import { EXIT_HANDLERS } from '../exits/table.ts';
import { EXIT_REASON, INTERRUPTION, PRIMARY, VM_INSTRUCTION_ERROR } from '../../x86/controls.ts';
import { byNumber, EXIT } from '../../x86/exit-reasons.ts';
import { type GuestStop, NO_EXIT, type VmExit } from '../../x86/guest.ts';
import { DEBUG_SINGLESTEP } from './guest-debug.ts';
import { lapicTimer, taskPriority } from '../irqchip/index.ts';
import { loadRoot } from '../mmu/tdp-mmu.ts';
import type { VcpuState } from '../state.ts';
import { loadedVmcs, obey, PLE_WINDOW, primaryBits, writeVmcs } from '../vmcs/controls.ts';
import { checkEntry, type EntryFailure } from '../vmcs/entry-checks.ts';
import { viewOf } from '../vmcs/view.ts';
import { block, tryWake } from './blocking.ts';
import { checkAndInject, type Injection } from './injection.ts';
import { offerPvEoi, takePvEoi } from './pv-eoi.ts';
import { acceptApicEvents, MP_RUNNABLE } from './start.ts';
import { BLOCKED_BY, RFLAGS } from '../../x86/registers.ts';
import { unreachable } from '../../base/invariant.ts';

const { MOV_DR_EXITING } = PRIMARY;
const { VALID, TYPE, NMI } = INTERRUPTION;
const SHADOW = BLOCKED_BY.STI | BLOCKED_BY.MOV_SS;
const VMX_ISA = 1;
/** The host's timer vector, which took the guest out (LOCAL_TIMER_VECTOR). */
const HOST_TIMER = VALID + 0xec;
const NOTHING: Injection = { info: 0, errorCode: 0, length: 0 };
const NO_BYTES = new Uint8Array(0);
const NO_MSR = { data: 0n, error: 0 };

/** KVM_RUN: user space brings what it was asked for, which is completed; the guest runs on by `advanceVcpu`. */
export function enterRun(kvm: KvmContext, vcpu: VcpuState, answer: KvmRunAnswer): number {
  const { data = NO_BYTES, msr = NO_MSR, immediateExit = false } = answer;
  const { pending } = vcpu;
  kvm.raise({
    kind: 'ioctl:KVM_RUN',
    vcpu_id: vcpu.index,
    immediate_exit: immediateExit,
    request_interrupt_window: answer.requestInterruptWindow ?? false,
    cr8: answer.cr8 ?? vcpu.run.cr8,
    data,
    msr_data: msr.data,
    msr_error: msr.error,
  });
  const handled = complete(kvm, vcpu, pending, data, msr);
  if (typeof handled === 'object') leave(kvm, vcpu, handled, 0);
  else if (immediateExit) {
    leave(kvm, vcpu, exitFor(KVM_EXIT_INTR), -EINTR);
    return -EINTR;
  }
  return 0;
}

/** vcpu->arch.complete_userspace_io: finish what user space was asked for. */
function complete(
  kvm: KvmContext,
  vcpu: VcpuState,
  pending: VcpuState['pending'],
  data: Uint8Array,
  msr: NonNullable<KvmRunAnswer['msr']>,
): Handled {
  switch (pending) {
    case 'pio-in':
      return completeIn(kvm, vcpu, data);
    case 'pio-out':
      return completeOut(kvm, vcpu);
    case 'string-in':
      return completeStringIn(kvm, vcpu, data);
    case 'mmio-read':
      return completeRead(kvm, vcpu, data);
    case 'mmio-write':
      return completeWrites(kvm, vcpu);
    case 'string-out':
      return completeStringOut(kvm, vcpu);
    case 'rdmsr':
    case 'wrmsr':
      return completeMsr(kvm, vcpu, pending === 'rdmsr', msr);
    case 'nothing':
      return 'resume';
    default:
      return unreachable(pending);
  }
}

/** Everything up to the next VM exit and its handling. */
export function advanceVcpu(kvm: KvmContext, vcpu: VcpuState, budget: number): VcpuProgress {
  if (vcpu.inGuest) return runGuest(kvm, vcpu, budget, NOTHING);
  if (vcpu.mpState === MP_RUNNABLE && vcpu.waitingSince >= 0) noteWaiting(kvm, vcpu);
  if (vcpu.mpState !== MP_RUNNABLE && !tryWake(kvm, vcpu)) return 'blocked';
  if (vcpu.requests !== 0) {
    const handled = serveRequests(kvm, vcpu);
    if (handled !== undefined) return leave(kvm, vcpu, handled, 0);
  }
  if (vcpu.mpState !== MP_RUNNABLE) return 'blocked';
  return enter(kvm, vcpu, budget);
}

/** Time that passed while others had their turn is stolen; published before the entry. */
function noteWaiting(kvm: KvmContext, vcpu: VcpuState): void {
  const ns = kvm.now() - vcpu.waitingSince;
  kvm.raise({ kind: 'sim:stolen', vcpu_id: vcpu.index, ns });
  if (ns > 0) shrinkPleWindow(kvm, vcpu);
}

/** vmx_sched_in: a vCPU that gave way spins no longer than at first before it exits again. */
function shrinkPleWindow(kvm: KvmContext, vcpu: VcpuState): void {
  const old = loadedVmcs(vcpu).pleWindow;
  if (old === PLE_WINDOW) return;
  kvm.raise({ kind: 'kvm_ple_window_update', vcpu_id: vcpu.index, new: PLE_WINDOW, old });
  writeVmcs(kvm, loadedVmcs(vcpu), 'pleWindow', PLE_WINDOW);
}

/** vcpu_enter_guest's requests, in its order. */
function serveRequests(kvm: KvmContext, vcpu: VcpuState): UserspaceExit | undefined {
  const requests = vcpu.requests & ~REQ_EVENT;
  if (requests === 0) return undefined;
  // Looked up before: what serving one requests anew has other causes.
  const masterClock = requester(vcpu, REQ_MASTERCLOCK_UPDATE);
  const globalClock = requester(vcpu, REQ_GLOBAL_CLOCK_UPDATE);
  const clock = requester(vcpu, REQ_CLOCK_UPDATE);
  const steal = requester(vcpu, REQ_STEAL_UPDATE);
  served(kvm, vcpu, requests);
  if ((requests & REQ_MASTERCLOCK_UPDATE) !== 0) updateMasterClock(kvm.after(masterClock));
  if ((requests & REQ_GLOBAL_CLOCK_UPDATE) !== 0) {
    for (const each of kvm.state.vcpus) request(kvm.after(globalClock), each, REQ_CLOCK_UPDATE);
  }
  if (((requests | vcpu.requests) & REQ_CLOCK_UPDATE) !== 0) {
    const cause = (requests & REQ_CLOCK_UPDATE) !== 0 ? clock : requester(vcpu, REQ_CLOCK_UPDATE);
    if ((vcpu.requests & REQ_CLOCK_UPDATE) !== 0) served(kvm, vcpu, REQ_CLOCK_UPDATE);
    updateGuestTime(kvm.after(cause), vcpu);
  }
  if ((requests & REQ_TRIPLE_FAULT) !== 0) return exitFor(KVM_EXIT_SHUTDOWN);
  if ((requests & REQ_STEAL_UPDATE) !== 0) recordStealTime(kvm.after(steal), vcpu);
  return undefined;
}

/** What made a request; -1: nothing has. */
const requester = ({ requestedBy }: VcpuState, request: number): number => requestedBy[31 - Math.clz32(request)] ?? -1;

function served(kvm: KvmContext, vcpu: VcpuState, requests: number): void {
  kvm.raise({ kind: 'sim:requests_served', vcpu_id: vcpu.index, requests });
}

/** Choose what to inject, bring the controls up to date, check, enter. */
function enter(kvm: KvmContext, vcpu: VcpuState, budget: number): VcpuProgress {
  let injection = NOTHING;
  if ((vcpu.requests & REQ_EVENT) !== 0 || vcpu.run.requestInterruptWindow) {
    if ((vcpu.requests & REQ_EVENT) !== 0) served(kvm, vcpu, REQ_EVENT);
    acceptApicEvents(kvm, vcpu);
    if (vcpu.mpState !== MP_RUNNABLE) return 'blocked';
    injection = { info: 0, errorCode: 0, length: 0 };
    checkAndInject(kvm, vcpu, injection);
    offerPvEoi(kvm, vcpu);
    if ((injection.info & TYPE) === NMI) unblockNmi(kvm, vcpu);
  }
  writeVmcs(kvm, loadedVmcs(vcpu), 'eptPointer', BigInt(loadRoot(kvm, vcpu)));
  syncTaskPriority(kvm, vcpu);
  // A step over STI or MOV SS takes the shadow away: entry with TF set refuses one.
  if (vcpu.guestDebug.control !== 0) dropShadow(kvm, vcpu);
  if (kvm.guest.needsControls(vcpu.index)) obey(kvm, loadedVmcs(vcpu));
  const { checkEntry: checks } = vcpu;
  kvm.raise({
    kind: 'kvm_entry',
    vcpu_id: vcpu.index,
    rip: kvm.guest.position(vcpu.index).rip,
    immediate_exit: false,
    intr_info: injection.info,
    error_code: injection.errorCode,
  });
  const failure = checks ? checkEntry(viewOf(loadedVmcs(vcpu), kvm.guest.registers(vcpu.index))) : undefined;
  return failure === undefined ? runGuest(kvm, vcpu, budget, injection) : failEntry(kvm, vcpu, failure);
}

function dropShadow(kvm: KvmContext, vcpu: VcpuState): void {
  if ((vcpu.guestDebug.control & DEBUG_SINGLESTEP) === 0) return;
  if ((kvm.guest.position(vcpu.index).interruptibility & SHADOW) === 0) return;
  kvm.guest.registers(vcpu.index).interruptibility &= ~SHADOW;
}

/** An injected NMI sets the blocking itself; VM entry refuses it where the blocking is there already. */
function unblockNmi(kvm: KvmContext, vcpu: VcpuState): void {
  if ((kvm.guest.position(vcpu.index).interruptibility & BLOCKED_BY.NMI) === 0) return;
  kvm.guest.registers(vcpu.index).interruptibility &= ~BLOCKED_BY.NMI;
}

/** Hand the LAPIC's task priority to the TPR shadow when software changed it. */
function syncTaskPriority(kvm: KvmContext, vcpu: VcpuState): void {
  const wanted = priorityOf(kvm, vcpu);
  if (wanted !== kvm.guest.position(vcpu.index).cr8) kvm.guest.registers(vcpu.index).cr8 = wanted;
}

/** The TPR shadow comes back: the guest may have moved to CR8 without an exit. */
function takeTaskPriority(kvm: KvmContext, vcpu: VcpuState, cr8: number): void {
  if (cr8 !== priorityOf(kvm, vcpu)) kvm.raise({ kind: 'sim:tpr', vcpu_id: vcpu.index, tpr: cr8 << 4 });
}

function priorityOf(kvm: KvmContext, vcpu: VcpuState): number {
  const lapic = vmOf(kvm).irqchip?.lapics[vcpu.index];
  return lapic === undefined ? vcpu.run.cr8 : taskPriority(lapic);
}

/** VMfail (error 7 or 8) or the exit hardware makes of invalid guest state: user space learns that entry failed. */
function failEntry(kvm: KvmContext, vcpu: VcpuState, failure: EntryFailure): VcpuProgress {
  const reason = failure.kind === 'fail' ? failure.error : failure.reason;
  const { INVALID_CONTROLS, INVALID_HOST_STATE } = VM_INSTRUCTION_ERROR;
  const group = reason === INVALID_CONTROLS ? 'controls' : reason === INVALID_HOST_STATE ? 'host' : 'guest';
  kvm.raise({ kind: 'sim:vmentry_check', vcpu_id: vcpu.index, group, failed: failure.what, reason });
  return leave(kvm, vcpu, exitFailedEntry(kvm, vcpu, reason), 0);
}

function runGuest(kvm: KvmContext, vcpu: VcpuState, budget: number, injection: Injection): VcpuProgress {
  const stop = kvm.guest.run(vcpu.index, budget, injection);
  if (stop.why === 'break') return 'entered';
  const exit = stop.why === 'budget' ? timerExit(kvm, vcpu) : stop.exit;
  const inside = kvm.inside(raiseExit(kvm, vcpu, stop, exit));
  takeTaskPriority(inside, vcpu, stop.cr8);
  if (isInterruptedNmi(exit)) inside.guest.registers(vcpu.index).interruptibility &= ~BLOCKED_BY.NMI;
  if (vcpu.pv.eoiPending) takePvEoi(inside, vcpu);
  if ((loadedVmcs(vcpu).primary & MOV_DR_EXITING) === 0) primaryBits(inside, loadedVmcs(vcpu), MOV_DR_EXITING, true);
  const handled = handleExit(inside, vcpu, stop, exit);
  if (vcpu.mpState !== MP_RUNNABLE) block(inside, vcpu);
  if (typeof handled === 'object') return leave(inside, vcpu, handled, 0);
  return handled === 'yield' ? 'yielded' : 'entered';
}

/** The delivery of an NMI was interrupted: it is injected again, which blocking would refuse. */
const isInterruptedNmi = ({ idtVectoringInfo: info }: VmExit): boolean => info >= VALID && (info & TYPE) === NMI;

/** A run that ended with its budget: the vCPU's own timer (52), or the host's tick (1). */
function timerExit(kvm: KvmContext, vcpu: VcpuState): VmExit {
  const deadline = kvm.state.timers[lapicTimer(vcpu.index)]?.deadline ?? Number.POSITIVE_INFINITY;
  if (deadline <= kvm.now() + kvm.costs.exit) return { ...NO_EXIT, reason: EXIT.PREEMPTION_TIMER };
  return { ...NO_EXIT, reason: EXIT.EXTERNAL_INTERRUPT, interruptionInfo: HOST_TIMER };
}

/** An exit names its entry, so that the pair spans the time in the guest. It has no cause but the guest itself. */
function raiseExit(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop, exit: VmExit): number {
  return kvm.origin.during(vcpu.entry.seq).raise({
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

const DURING_DELIVERY = byNumber(([, { duringDelivery }]) => duringDelivery === true);

/** vmx_handle_exit. */
function handleExit(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop, exit: VmExit): Handled {
  if (exit.reason >= EXIT_REASON.ENTRY_FAILED) return exitFailedEntry(kvm, vcpu, exit.reason);
  if (exit.idtVectoringInfo >= VALID && DURING_DELIVERY[exit.reason] !== true) {
    const words = [BigInt(exit.idtVectoringInfo), BigInt(exit.reason), exit.qualification];
    return exitInternal(kvm, vcpu, SUBERROR_DELIVERY_EVENT, words);
  }
  const handler = EXIT_HANDLERS[exitOwner(vcpu, exit)][exit.reason] ?? unexpected;
  return handler(kvm, vcpu, stop);
}

/** KVM_RUN returns. */
function leave(kvm: KvmContext, vcpu: VcpuState, exit: UserspaceExit, errno: number): VcpuProgress {
  const { rflags, interruptibility, cr8 } = kvm.guest.position(vcpu.index);
  const takesInterrupts = (rflags & RFLAGS.IF) !== 0;
  kvm.raise({
    kind: 'kvm_userspace_exit',
    reason: exit.reason,
    errno,
    vcpu_id: vcpu.index,
    pending: exit.pending,
    rw: exit.rw,
    addr: exit.addr,
    size: exit.size,
    count: exit.count,
    data: exit.data,
    if_flag: takesInterrupts,
    ready: takesInterrupts && (interruptibility & SHADOW) === 0 && !vcpu.events.interrupt.injected,
    cr8: vmOf(kvm).irqchip === undefined ? vcpu.run.cr8 : cr8,
  });
  return 'userspace';
}
