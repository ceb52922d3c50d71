/** KVM_GET/SET_REGS and SREGS. Linux __set_regs, __set_sregs. */
import { type KvmContext, vmOf } from '../context.ts';
import { EINVAL } from '../../base/errno.ts';
import { readRflags, steppingRflags } from './guest-debug.ts';
import { GPR_NAMES } from '../../x86/guest.ts';
import type { Regs, Sregs } from '../ioctl/ioctls.ts';
import { taskPriority, writeTaskPriority } from '../irqchip/index.ts';
import { applyCr0, applyCr4, applyEfer, currentCr0, currentCr4 } from './mode.ts';
import { writeApicBase } from './msrs.ts';
import type { VcpuState } from '../state.ts';
import { packRegs, packSregs } from '../ioctl/structs.ts';
import { loadedVmcs } from '../vmcs/controls.ts';
import { CR0_PE, CR0_PG, RFLAGS_FIXED } from '../../x86/registers.ts';

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldt', 'tr'] as const;

/** KVM_GET_REGS. */
export function getRegs(kvm: KvmContext, vcpu: VcpuState, out: Regs): number {
  const registers = kvm.guest.registers(vcpu.index);
  GPR_NAMES.forEach((name, index) => {
    out[name] = registers.gpr(index);
  });
  out.rip = registers.rip;
  out.rflags = readRflags(kvm, vcpu);
  return 0;
}

/** KVM_SET_REGS. */
export function setRegs(kvm: KvmContext, vcpu: VcpuState, regs: Regs): number {
  const registers = kvm.guest.registers(vcpu.index);
  GPR_NAMES.forEach((name, index) => registers.setGpr(index, regs[name]));
  registers.rip = regs.rip;
  registers.rflags = steppingRflags(kvm, vcpu, regs.rflags | RFLAGS_FIXED);
  kvm.raise({ kind: 'ioctl:KVM_SET_REGS', vcpu_id: vcpu.index, regs: packRegs(regs) });
  return 0;
}

/** KVM_GET_SREGS(2). */
export function getSregs(kvm: KvmContext, vcpu: VcpuState, out: Sregs): number {
  const registers = kvm.guest.registers(vcpu.index);
  const { irqchip } = vmOf(kvm);
  SEGMENTS.forEach((name, index) => {
    out[name] = { ...registers.segment(index) };
  });
  out.gdt = { ...registers.gdtr };
  out.idt = { ...registers.idtr };
  out.cr0 = currentCr0(kvm, vcpu);
  out.cr2 = registers.cr2;
  out.cr3 = registers.cr3;
  out.cr4 = currentCr4(kvm, vcpu);
  out.cr8 = irqchip === undefined ? vcpu.run.cr8 : taskPriority(irqchip.lapics[vcpu.index]!);
  out.efer = loadedVmcs(vcpu).guestEfer;
  out.apicBase = BigInt(vcpu.run.apicBase);
  out.interrupt = vcpu.events.interrupt.injected ? vcpu.events.interrupt.vector : -1;
  return 0;
}

/** KVM_SET_SREGS(2). EINVAL for a combination no processor can be in. */
export function setSregs(kvm: KvmContext, vcpu: VcpuState, sregs: Sregs): number {
  if ((sregs.cr0 & CR0_PG) !== 0n && (sregs.cr0 & CR0_PE) === 0n) return -EINVAL;
  if (!writeApicBase(kvm, vcpu, sregs.apicBase, true)) return -EINVAL;
  const told = kvm.after(kvm.raise({ kind: 'ioctl:KVM_SET_SREGS2', vcpu_id: vcpu.index, sregs: packSregs(sregs) }));
  const registers = kvm.guest.registers(vcpu.index);
  registers.gdtr = { ...sregs.gdt };
  registers.idtr = { ...sregs.idt };
  registers.cr2 = sregs.cr2;
  registers.cr3 = sregs.cr3;
  if (vmOf(kvm).irqchip !== undefined) writeTaskPriority(told, vcpu.index, sregs.cr8);
  applyEfer(told, vcpu, sregs.efer);
  applyCr4(told, vcpu, sregs.cr4);
  // LMA as user space has it: CR0.PG must not derive it anew.
  applyCr0(told, vcpu, sregs.cr0);
  applyEfer(told, vcpu, sregs.efer);
  SEGMENTS.forEach((name, index) => registers.setSegment(index, sregs[name]));
  return 0;
}
