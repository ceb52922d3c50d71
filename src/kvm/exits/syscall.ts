/** SYSCALL of a processor KVM pretends to be: an AMD guest may use it outside 64-bit mode. Linux em_syscall. */
import type { KvmContext } from '../context.ts';
import { findCpuid } from '../vcpu/cpuid.ts';
import { isLongMode } from '../vcpu/mode.ts';
import type { VcpuState } from '../state.ts';
import { DB, queueException } from '../vcpu/exceptions.ts';
import { loadedVmcs } from '../vmcs/controls.ts';
import {
  ACCESS,
  CR0_PE,
  DR6_BS,
  EFER_SCE,
  FLAT,
  GPR,
  RFLAGS_FIXED,
  RFLAGS_IF,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VM,
  SEG,
} from '../../x86/registers.ts';
import { MSR } from '../../x86/msrs.ts';

const VM_AND_IF = RFLAGS_VM | RFLAGS_IF;
const LENGTH = 2n;
/** "Auth", the first four letters of AMD's vendor string. */
const AUTH = 0x68747541;

/** Perform the SYSCALL at rip. False: this guest's processor has none here. */
export function emulateSyscall(kvm: KvmContext, vcpu: VcpuState): boolean {
  const registers = kvm.guest.registers(vcpu.index);
  const cr0Pe = (loadedVmcs(vcpu).cr0Shadow & CR0_PE) !== 0n;
  if (!cr0Pe || (registers.rflags & RFLAGS_VM) !== 0n || (loadedVmcs(vcpu).guestEfer & EFER_SCE) === 0n) return false;
  const long = isLongMode(vcpu);
  const code64 = long && (registers.segment(SEG.CS).access & ACCESS.LONG) !== 0;
  if (!code64 && findCpuid(vcpu.cpuid, 0, 0)?.ebx !== AUTH) return false;
  const msr = (index: number): bigint => registers.msr(index) ?? 0n;
  const flags = registers.rflags & ~RFLAGS_RF;
  const selector = Number((msr(MSR.STAR) >> 32n) & 0xfffcn);
  registers.setSegment(SEG.CS, { selector, base: 0n, limit: FLAT.LIMIT, access: long ? FLAT.CODE_64 : FLAT.CODE_32 });
  registers.setSegment(SEG.SS, { selector: selector + 8, base: 0n, limit: FLAT.LIMIT, access: FLAT.DATA });
  registers.setGpr(GPR.RCX, code64 ? registers.rip + LENGTH : (registers.rip + LENGTH) & 0xffff_ffffn);
  if (long) registers.setGpr(GPR.R11, flags);
  registers.rip = long ? msr(code64 ? MSR.LSTAR : MSR.CSTAR) : msr(MSR.STAR) & 0xffff_ffffn;
  registers.rflags = (flags & ~(long ? msr(MSR.FMASK) : VM_AND_IF)) | RFLAGS_FIXED;
  if ((registers.rflags & RFLAGS_TF) !== 0n) queueException(kvm, vcpu, { vector: DB, payload: DR6_BS });
  return true;
}
