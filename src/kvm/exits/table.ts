/** Every exit a guest without nested virtualization can cause, and who handles it. SDM Vol. 3, Appendix C. */
import { type KvmContext, REQ_EVENT, request, vmOf } from '../context.ts';
import { memoryOf } from '../io/emulation.ts';
import type { GuestStop, TaskSwitched } from '../../x86/guest.ts';
import { handleVmcall } from './hypercalls.ts';
import type { VcpuState } from '../state.ts';
import {
  exitFor,
  exitInternal,
  KVM_EXIT_HLT,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_EXIT_SHUTDOWN,
  SUBERROR_EMULATION,
} from '../io/userspace.ts';
import { injectGp, injectUd, PF, queueException } from '../vcpu/exceptions.ts';
import { INTERRUPT_WINDOW, NMI_WINDOW, primaryBits, writeControl } from '../vmcs/controls.ts';
import { handleCpuid } from './cpuid.ts';
import { handleException } from './exceptions.ts';
import { type ExitHandler, type Handled, skip, skipExit } from './handled.ts';
import { handleIo } from './io.ts';
import { handleEptMisconfig, handleEptViolation } from './memory.ts';
import { handleCr, handleDr, handleRdmsr, handleWrmsr, handleXsetbv } from './registers.ts';

export const EXIT_EXTERNAL_INTERRUPT = 1;
export const EXIT_PREEMPTION_TIMER = 52;

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
    primaryBits(kvm, vcpu, bit, false);
    request(kvm, vcpu, REQ_EVENT);
    const isWanted = bit === INTERRUPT_WINDOW && vmOf(kvm).irqchip === undefined && vcpu.run.requestInterruptWindow;
    return isWanted ? exitFor(KVM_EXIT_IRQ_WINDOW_OPEN) : 'resume';
  };

const halt: ExitHandler = (kvm, vcpu, stop) => {
  const stepped = skipExit(kvm, vcpu, stop);
  if (vmOf(kvm).irqchip === undefined) return exitFor(KVM_EXIT_HLT);
  kvm.raise({ kind: 'sim:mp_state', vcpu_id: vcpu.index, mp_state: MP_STATE_HALTED });
  return stepped;
};

const PLE_WINDOW_MAX = 0xffff_ffff;

/** handle_pause: a spinning vCPU gives up its turn, and next time spins longer before it exits. */
const pause: ExitHandler = (kvm, vcpu, stop) => {
  const old = vcpu.vmcs.pleWindow;
  const grown = Math.min(old * 2, PLE_WINDOW_MAX);
  if (grown !== old) {
    kvm.raise({ kind: 'kvm_ple_window_update', vcpu_id: vcpu.index, new: grown, old });
    writeControl(kvm, vcpu, 'pleWindow', grown);
  }
  const stepped = skipExit(kvm, vcpu, stop);
  return stepped === 'resume' ? 'yield' : stepped;
};

const IDT_NMI = 2;
const IDT_HARDWARE_EXCEPTION = 3;
const TASK_GATE = 3;

/** handle_task_switch. SDM Vol. 3, Table 28-2. */
function taskSwitch(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const qualification = Number(stop.exit.qualification);
  const source = qualification >>> 30;
  const info = stop.exit.idtVectoringInfo;
  const vectoring = info >= 0x80000000;
  const type = (info >>> 8) & 7;
  let errorCode: number | undefined;
  if (source === TASK_GATE && vectoring) {
    if (type === IDT_HARDWARE_EXCEPTION && (info & 0x800) !== 0) errorCode = stop.exit.idtVectoringErrorCode;
    kvm.raise({ kind: 'sim:delivery_ended', vcpu_id: vcpu.index });
  }
  const asynchronous = type === 0 || type === IDT_NMI || type === IDT_HARDWARE_EXCEPTION;
  if (!vectoring || !asynchronous) skip(kvm, vcpu, stop.exit.instructionLength);
  const task = { selector: qualification & 0xffff, source, errorCode };
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

/** By basic exit reason. */
export const EXIT_HANDLERS: Readonly<Record<number, ExitHandler>> = {
  0: handleException,
  [EXIT_EXTERNAL_INTERRUPT]: resume,
  2: tripleFault,
  7: window(INTERRUPT_WINDOW),
  8: window(NMI_WINDOW),
  9: taskSwitch,
  10: handleCpuid,
  12: halt,
  13: skipExit,
  14: skipExit,
  15: refuse,
  18: handleVmcall,
  19: undefinedOpcode,
  20: undefinedOpcode,
  21: undefinedOpcode,
  22: undefinedOpcode,
  23: undefinedOpcode,
  24: undefinedOpcode,
  25: undefinedOpcode,
  26: undefinedOpcode,
  27: undefinedOpcode,
  28: handleCr,
  29: handleDr,
  30: handleIo,
  31: handleRdmsr,
  32: handleWrmsr,
  36: skipExit,
  37: resume,
  39: skipExit,
  40: pause,
  43: (kvm, vcpu) => {
    request(kvm, vcpu, REQ_EVENT);
    return 'resume';
  },
  46: undefinedOpcode,
  47: undefinedOpcode,
  48: handleEptViolation,
  49: handleEptMisconfig,
  50: undefinedOpcode,
  [EXIT_PREEMPTION_TIMER]: resume,
  53: undefinedOpcode,
  54: skipExit,
  55: handleXsetbv,
  57: undefinedOpcode,
  58: skipExit,
  59: undefinedOpcode,
  60: undefinedOpcode,
  61: undefinedOpcode,
};
