/** Every exit a guest without nested virtualization can cause, and who handles it. SDM Vol. 3, Appendix C. */
import { type KvmContext, REQ_EVENT, request, vmOf } from '../context.ts';
import { memoryOf } from '../io/emulation.ts';
import { INTERRUPTION, PRIMARY } from '../../x86/controls.ts';
import { byNumber, type ExitName, field, QUALIFICATION } from '../../x86/exit-reasons.ts';
import type { GuestStop, TaskSwitched } from '../../x86/guest.ts';
import { handleVmcall } from './hypercalls.ts';
import type { VcpuState } from '../state.ts';
import {
  exitFor,
  exitInternal,
  type Handled,
  KVM_EXIT_HLT,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_EXIT_SHUTDOWN,
  SUBERROR_EMULATION,
} from '../io/userspace.ts';
import { injectGp, injectUd, PF, queueException } from '../vcpu/exceptions.ts';
import { loadedVmcs, primaryBits, writeVmcs } from '../vmcs/controls.ts';
import { handleCpuid } from './cpuid.ts';
import { handleException } from './exceptions.ts';
import { type ExitHandler, skip, skipExit } from './handled.ts';
import { handleIo } from './io.ts';
import { handleEptMisconfig, handleEptViolation } from './memory.ts';
import type { ExitOwner } from './owner.ts';
import { handleCr, handleDr, handleRdmsr, handleWrmsr, handleXsetbv } from './registers.ts';

const MP_STATE_HALTED = 3;

const resume: ExitHandler = () => 'resume';

const refuse: ExitHandler = (kvm, vcpu) => {
  injectGp(kvm, vcpu);
  return 'resume';
};

const undefinedOpcode: ExitHandler = (kvm, vcpu) => {
  injectUd(kvm, vcpu);
  return 'resume';
};

const tripleFault: ExitHandler = () => exitFor(KVM_EXIT_SHUTDOWN);

const window =
  (bit: number): ExitHandler =>
  (kvm, vcpu) => {
    primaryBits(kvm, loadedVmcs(vcpu), bit, false);
    request(kvm, vcpu, REQ_EVENT);
    const isWanted =
      bit === PRIMARY.INTERRUPT_WINDOW_EXITING && vmOf(kvm).irqchip === undefined && vcpu.run.requestInterruptWindow;
    return isWanted ? exitFor(KVM_EXIT_IRQ_WINDOW_OPEN) : 'resume';
  };

const halt: ExitHandler = (kvm, vcpu, stop) => {
  const stepped = skipExit(kvm, vcpu, stop);
  if (vmOf(kvm).irqchip === undefined) return exitFor(KVM_EXIT_HLT);
  kvm.raise({ kind: 'sim:mp_state', vcpu_id: vcpu.index, mp_state: MP_STATE_HALTED });
  return stepped;
};

const belowThreshold: ExitHandler = (kvm, vcpu) => {
  request(kvm, vcpu, REQ_EVENT);
  return 'resume';
};

const PLE_WINDOW_MAX = 0xffff_ffff;

/** handle_pause: a spinning vCPU gives up its turn, and next time spins longer before it exits. */
const pause: ExitHandler = (kvm, vcpu, stop) => {
  const old = loadedVmcs(vcpu).pleWindow;
  const grown = Math.min(old * 2, PLE_WINDOW_MAX);
  if (grown !== old) {
    kvm.raise({ kind: 'kvm_ple_window_update', vcpu_id: vcpu.index, new: grown, old });
    writeVmcs(kvm, loadedVmcs(vcpu), 'pleWindow', grown);
  }
  const stepped = skipExit(kvm, vcpu, stop);
  return stepped === 'resume' ? 'yield' : stepped;
};

const { VALID, TYPE, EXTERNAL, NMI, HARDWARE_EXCEPTION, ERROR_CODE } = INTERRUPTION;
const TASK_GATE = 3;

/** handle_task_switch. SDM Vol. 3, Table 28-2. */
function taskSwitch(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const qualification = Number(stop.exit.qualification);
  const source = field(qualification, QUALIFICATION.TASK_SWITCH.source);
  const info = stop.exit.idtVectoringInfo;
  const vectoring = info >= VALID;
  const type = info & TYPE;
  let errorCode: number | undefined;
  if (source === TASK_GATE && vectoring) {
    if (type === HARDWARE_EXCEPTION && (info & ERROR_CODE) !== 0) errorCode = stop.exit.idtVectoringErrorCode;
    kvm.raise({ kind: 'sim:delivery_ended', vcpu_id: vcpu.index });
  }
  const asynchronous = type === EXTERNAL || type === NMI || type === HARDWARE_EXCEPTION;
  if (!vectoring || !asynchronous) skip(kvm, vcpu, stop.exit.instructionLength);
  const task = { selector: field(qualification, QUALIFICATION.TASK_SWITCH.selector), source, errorCode };
  return afterSwitch(kvm, vcpu, stop.rip, kvm.guest.taskSwitch(vcpu.index, task, memoryOf(kvm)));
}

/** Deviation: Linux drops the exceptions of a switch it emulates; here the guest gets them. SDM Vol. 3, Table 8-1. */
function afterSwitch(kvm: KvmContext, vcpu: VcpuState, rip: bigint, switched: TaskSwitched): Handled {
  const { then, vector, errorCode, address } = switched;
  if (then === 'failed') return exitInternal(kvm, vcpu, SUBERROR_EMULATION, []);
  if (then === 'done') return 'resume';
  if (then === 'fault in the old task') kvm.guest.setRip(vcpu.index, rip);
  queueException(kvm, vcpu, { vector, errorCode, payload: vector === PF ? address : undefined });
  return 'resume';
}

/** By name; what has no handler nobody expects. VMX instructions and SGX are not offered: there are none. */
const HANDLERS: Readonly<Partial<Record<ExitName, ExitHandler>>> = {
  EXCEPTION_NMI: handleException,
  EXTERNAL_INTERRUPT: resume,
  TRIPLE_FAULT: tripleFault,
  INTERRUPT_WINDOW: window(PRIMARY.INTERRUPT_WINDOW_EXITING),
  NMI_WINDOW: window(PRIMARY.NMI_WINDOW_EXITING),
  TASK_SWITCH: taskSwitch,
  CPUID: handleCpuid,
  HLT: halt,
  INVD: skipExit,
  INVLPG: skipExit,
  RDPMC: refuse,
  VMCALL: handleVmcall,
  VMCLEAR: undefinedOpcode,
  VMLAUNCH: undefinedOpcode,
  VMPTRLD: undefinedOpcode,
  VMPTRST: undefinedOpcode,
  VMREAD: undefinedOpcode,
  VMRESUME: undefinedOpcode,
  VMWRITE: undefinedOpcode,
  VMOFF: undefinedOpcode,
  VMON: undefinedOpcode,
  CR_ACCESS: handleCr,
  DR_ACCESS: handleDr,
  IO_INSTRUCTION: handleIo,
  MSR_READ: handleRdmsr,
  MSR_WRITE: handleWrmsr,
  MWAIT_INSTRUCTION: skipExit,
  MONITOR_TRAP_FLAG: resume,
  MONITOR_INSTRUCTION: skipExit,
  PAUSE_INSTRUCTION: pause,
  TPR_BELOW_THRESHOLD: belowThreshold,
  GDTR_IDTR: undefinedOpcode,
  LDTR_TR: undefinedOpcode,
  EPT_VIOLATION: handleEptViolation,
  EPT_MISCONFIG: handleEptMisconfig,
  INVEPT: undefinedOpcode,
  PREEMPTION_TIMER: resume,
  INVVPID: undefinedOpcode,
  WBINVD: skipExit,
  XSETBV: handleXsetbv,
  RDRAND: undefinedOpcode,
  INVPCID: skipExit,
  VMFUNC: undefinedOpcode,
  ENCLS: undefinedOpcode,
  RDSEED: undefinedOpcode,
};

/** By whose exit it is, by basic exit reason. */
export const EXIT_HANDLERS: Readonly<Record<ExitOwner, readonly (ExitHandler | undefined)[]>> = {
  L0: byNumber(([name]) => HANDLERS[name]),
};
