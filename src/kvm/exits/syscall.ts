/** SYSCALL of a processor KVM pretends to be: an AMD guest may use it outside 64-bit mode. Linux em_syscall. */
import type { KvmContext } from '../context.ts';
import { findCpuid } from '../vcpu/cpuid.ts';
import { isLongMode } from '../vcpu/mode.ts';
import type { VcpuState } from '../state.ts';
import { DB, queueException } from '../vcpu/exceptions.ts';

const CS = 1;
const SS = 2;
const RCX = 1;
const R11 = 11;
const STAR = 0xc0000081;
const LSTAR = 0xc0000082;
const CSTAR = 0xc0000083;
const FMASK = 0xc0000084;
const EFER_SCE = 1n;
const ACCESS_L = 0x2000;
const CODE_64 = 0xa09b;
const CODE_32 = 0xc09b;
const DATA = 0xc093;
const FLAT = 0xffff_ffff;
const TF = 0x100n;
const VM_AND_IF = 0x20200n;
const FIXED = 2n;
const LENGTH = 2n;
const SINGLE_STEP = 0x4000n;
/** "Auth", the first four letters of AMD's vendor string. */
const AUTH = 0x68747541;

/** Perform the SYSCALL at rip. False: this guest's processor has none here. */
export function emulateSyscall(kvm: KvmContext, vcpu: VcpuState): boolean {
  const registers = kvm.guest.registers(vcpu.index);
  const cr0Pe = (vcpu.vmcs.cr0Shadow & 1n) !== 0n;
  if (!cr0Pe || (registers.rflags & 0x20000n) !== 0n || (vcpu.vmcs.guestEfer & EFER_SCE) === 0n) return false;
  const long = isLongMode(vcpu);
  const code64 = long && (registers.segment(CS).access & ACCESS_L) !== 0;
  if (!code64 && findCpuid(vcpu.cpuid, 0, 0)?.ebx !== AUTH) return false;
  const msr = (index: number): bigint => registers.msr(index) ?? 0n;
  const flags = registers.rflags & ~0x10000n;
  const selector = Number((msr(STAR) >> 32n) & 0xfffcn);
  registers.setSegment(CS, { selector, base: 0n, limit: FLAT, access: long ? CODE_64 : CODE_32 });
  registers.setSegment(SS, { selector: selector + 8, base: 0n, limit: FLAT, access: DATA });
  registers.setGpr(RCX, code64 ? registers.rip + LENGTH : (registers.rip + LENGTH) & 0xffff_ffffn);
  if (long) registers.setGpr(R11, flags);
  registers.rip = long ? msr(code64 ? LSTAR : CSTAR) : msr(STAR) & 0xffff_ffffn;
  registers.rflags = (flags & ~(long ? msr(FMASK) : VM_AND_IF)) | FIXED;
  if ((registers.rflags & TF) !== 0n) queueException(kvm, vcpu, { vector: DB, payload: SINGLE_STEP });
  return true;
}
