/** MSRs, control registers, debug registers, XCR0. SDM Vol. 3, Tables 28-3 and 28-4; Linux handle_cr, handle_dr. */
import { type KvmContext, REQ_EVENT, request, vmOf } from '../context.ts';
import type { KvmRunAnswer } from '../api.ts';
import { PRIMARY } from '../../x86/controls.ts';
import { field, OPERANDS, QUALIFICATION } from '../../x86/exit-reasons.ts';
import type { GuestStop } from '../../x86/guest.ts';
import { exitDebug, guestDr, moveToDr, ownsDebugRegisters } from '../vcpu/guest-debug.ts';
import { writeTaskPriority } from '../irqchip/index.ts';
import { clearTaskSwitched, currentCr0, currentCr4, setCr0, setCr4 } from '../vcpu/mode.ts';
import {
  askUserSpace,
  FILTER_READ,
  FILTER_WRITE,
  isMsrAllowed,
  MSR_FILTERED,
  MSR_INVALID,
  MSR_UNKNOWN,
} from '../vcpu/msr-filter.ts';
import { isKnownMsr, readMsr, writeMsr } from '../vcpu/msrs.ts';
import type { VcpuState } from '../state.ts';
import {
  exitFor,
  exitInternal,
  type Handled,
  KVM_EXIT_SET_TPR,
  SUBERROR_UNEXPECTED_EXIT,
  type UserspaceExit,
} from '../io/userspace.ts';
import { DB, injectGp, injectUd, queueException } from '../vcpu/exceptions.ts';
import { loadedVmcs, primaryBits } from '../vmcs/controls.ts';
import { skip, skipExit } from './handled.ts';
import { CR4_DE, DR6_BD, DR7_GD, GPR } from '../../x86/registers.ts';

const LOW = 0xffff_ffffn;

/** Exit 31. */
export function handleRdmsr(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const index = Number(BigInt.asUintN(32, stop[OPERANDS.MSR_READ.ecx]));
  const allowed = isMsrAllowed(vmOf(kvm).msrFilter, index, FILTER_READ);
  const value = allowed ? readMsr(kvm, vcpu, index, false) : undefined;
  const asks = value === undefined ? asksForMsr(kvm, vcpu, false, index, 0n, allowed) : undefined;
  if (asks !== undefined) return asks;
  kvm.raise({ kind: 'kvm_msr', write: 0, ecx: index, data: value ?? 0n, exception: value === undefined ? 1 : 0 });
  if (value === undefined) return fault(kvm, vcpu);
  kvm.guest.setGpr(vcpu.index, GPR.RAX, value & LOW);
  kvm.guest.setGpr(vcpu.index, GPR.RDX, value >> 32n);
  return skipExit(kvm, vcpu, stop);
}

/** Exit 32. */
export function handleWrmsr(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const index = Number(BigInt.asUintN(32, stop[OPERANDS.MSR_WRITE.ecx]));
  const data = BigInt.asUintN(64, stop[OPERANDS.MSR_WRITE['edx:eax']]);
  const allowed = isMsrAllowed(vmOf(kvm).msrFilter, index, FILTER_WRITE);
  const taken = allowed && writeMsr(kvm, vcpu, index, data, false);
  const asks = taken ? undefined : asksForMsr(kvm, vcpu, true, index, data, allowed);
  if (asks !== undefined) return asks;
  kvm.raise({ kind: 'kvm_msr', write: 1, ecx: index, data, exception: taken ? 0 : 1 });
  return taken ? skipExit(kvm, vcpu, stop) : fault(kvm, vcpu);
}

function asksForMsr(
  kvm: KvmContext,
  vcpu: VcpuState,
  write: boolean,
  index: number,
  data: bigint,
  allowed: boolean,
): UserspaceExit | undefined {
  const reason = !allowed ? MSR_FILTERED : isKnownMsr(vcpu, index) ? MSR_INVALID : MSR_UNKNOWN;
  return askUserSpace(kvm, vcpu, write, { reason, index, data });
}

/** complete_fast_rdmsr and complete_fast_msr_access: user space answered, or wants #GP. */
export function completeMsr(
  kvm: KvmContext,
  vcpu: VcpuState,
  read: boolean,
  { data, error }: NonNullable<KvmRunAnswer['msr']>,
): Handled {
  if (error !== 0) return fault(kvm, vcpu);
  if (read) {
    kvm.guest.setGpr(vcpu.index, GPR.RAX, data & LOW);
    kvm.guest.setGpr(vcpu.index, GPR.RDX, BigInt.asUintN(32, data >> 32n));
  }
  return skip(kvm, vcpu, vcpu.exit.instructionLength);
}

function fault(kvm: KvmContext, vcpu: VcpuState): Handled {
  injectGp(kvm, vcpu);
  return 'resume';
}

/** Kinds of access to a control register. LMSW is the fourth. */
const MOV_TO_CR = 0;
const MOV_FROM_CR = 1;
const CLTS = 2;

/** Exit 28. */
export function handleCr(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const qualification = Number(stop.exit.qualification);
  const fields = QUALIFICATION.CR_ACCESS;
  const cr = field(qualification, fields.cr);
  switch (field(qualification, fields.access)) {
    case MOV_TO_CR: {
      const source = stop[OPERANDS.CR_ACCESS.source];
      kvm.raise({ kind: 'kvm_cr', rw: 1, cr, val: source });
      if (!moveToCr(kvm, vcpu, cr, source)) return fault(kvm, vcpu);
      const stepped = skipExit(kvm, vcpu, stop);
      // Without an in-kernel controller user space must see a new task priority.
      return cr === 8 && vmOf(kvm).irqchip === undefined ? exitFor(KVM_EXIT_SET_TPR) : stepped;
    }
    case MOV_FROM_CR:
      return moveFromCr(kvm, vcpu, cr, field(qualification, fields.register), stop);
    case CLTS:
      kvm.raise({ kind: 'kvm_cr', rw: 1, cr: 0, val: clearTaskSwitched(kvm, vcpu) });
      return skipExit(kvm, vcpu, stop);
    default: {
      const cr0 = currentCr0(kvm, vcpu);
      const source = BigInt(field(qualification, fields.lmswSource) & 15);
      kvm.raise({ kind: 'kvm_cr', rw: 1, cr: 0, val: (cr0 & ~15n) | source });
      // LMSW cannot clear PE.
      if (!setCr0(kvm, vcpu, (cr0 & ~14n) | source)) return fault(kvm, vcpu);
      return skipExit(kvm, vcpu, stop);
    }
  }
}

function moveToCr(kvm: KvmContext, vcpu: VcpuState, cr: number, value: bigint): boolean {
  switch (cr) {
    case 0:
      return setCr0(kvm, vcpu, value);
    case 3:
      kvm.guest.registers(vcpu.index).cr3 = value & ~(1n << 63n);
      return true;
    case 4:
      return setCr4(kvm, vcpu, value);
    case 8:
      return setCr8(kvm, vcpu, value);
    default:
      return false;
  }
}

function setCr8(kvm: KvmContext, vcpu: VcpuState, value: bigint): boolean {
  if (value > 15n) return false;
  if (vmOf(kvm).irqchip !== undefined) writeTaskPriority(kvm, vcpu.index, Number(value));
  else kvm.raise({ kind: 'sim:tpr', vcpu_id: vcpu.index, tpr: Number(value) << 4 });
  request(kvm, vcpu, REQ_EVENT);
  return true;
}

function moveFromCr(kvm: KvmContext, vcpu: VcpuState, cr: number, register: number, stop: GuestStop): Handled {
  const value = cr === 3 ? kvm.guest.registers(vcpu.index).cr3 : BigInt(vcpu.run.cr8);
  kvm.guest.setGpr(vcpu.index, register, value);
  kvm.raise({ kind: 'kvm_cr', rw: 0, cr, val: value });
  return skipExit(kvm, vcpu, stop);
}

/**
 * Exit 29. The first use of a debug register hands all of them to the guest: the instruction runs again, and the
 * exit after that takes them back.
 */
export function handleDr(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const dr = field(Number(stop.exit.qualification), QUALIFICATION.DR_ACCESS.dr);
  if ((dr === 4 || dr === 5) && (currentCr4(kvm, vcpu) & CR4_DE) !== 0n) {
    injectUd(kvm, vcpu);
    return 'resume';
  }
  if ((kvm.guest.registers(vcpu.index).dr(7) & DR7_GD) !== 0n) {
    if (ownsDebugRegisters(vcpu)) return exitDebug(kvm, vcpu, DB, DR6_BD);
    queueException(kvm, vcpu, { vector: DB, payload: DR6_BD });
    return 'resume';
  }
  if (vcpu.guestDebug.control !== 0) return emulateMovDr(kvm, vcpu, dr, stop);
  primaryBits(kvm, loadedVmcs(vcpu), PRIMARY.MOV_DR_EXITING, false);
  return 'resume';
}

/** While user space debugs, the registers stay with KVM. */
function emulateMovDr(kvm: KvmContext, vcpu: VcpuState, dr: number, stop: GuestStop): Handled {
  const qualification = Number(stop.exit.qualification);
  if (field(qualification, QUALIFICATION.DR_ACCESS.read) !== 0) {
    const index = dr === 4 || dr === 5 ? dr + 2 : dr;
    const register = field(qualification, QUALIFICATION.DR_ACCESS.register);
    kvm.guest.setGpr(vcpu.index, register, guestDr(kvm, vcpu, index));
  } else if (!moveToDr(kvm, vcpu, dr, stop[OPERANDS.DR_ACCESS.source])) return fault(kvm, vcpu);
  return skipExit(kvm, vcpu, stop);
}

const XCR0_X87 = 1n;
const XCR0_KNOWN = 3n;

/** Exit 55. */
export function handleXsetbv(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const value = BigInt.asUintN(64, stop[OPERANDS.XSETBV['edx:eax']]);
  if (BigInt.asUintN(32, stop[OPERANDS.XSETBV.ecx]) !== 0n || !isValidXcr0(value)) return fault(kvm, vcpu);
  setXcr0(kvm, vcpu, value);
  return skipExit(kvm, vcpu, stop);
}

/** x87 always, nothing beyond SSE. */
export const isValidXcr0 = (value: bigint): boolean => (value & XCR0_X87) !== 0n && (value & ~XCR0_KNOWN) === 0n;

/** __kvm_set_xcr, with a valid value. */
export function setXcr0(kvm: KvmContext, vcpu: VcpuState, value: bigint): void {
  kvm.raise({ kind: 'sim:xcr0', vcpu_id: vcpu.index, value });
  kvm.guest.registers(vcpu.index).xcr0 = value;
}

/** An exit nobody expects: user space is told all there is to tell. */
export function unexpected(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  return exitInternal(kvm, vcpu, SUBERROR_UNEXPECTED_EXIT, [BigInt(stop.exit.reason), 0n]);
}
