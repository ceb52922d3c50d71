/** KVM_GET/SET_REGS and SREGS. Linux __set_regs, __set_sregs. */
import { type KvmContext, REQ_EVENT, request, vmOf } from './context.ts';
import { EINVAL } from './errno.ts';
import { readRflags, steppingRflags } from './guest-debug.ts';
import { GPR_NAMES } from './guest.ts';
import type { Regs, Sregs } from './ioctls.ts';
import { apicBaseRead, apicBaseWrite, taskPriority, writeTaskPriority } from './irqchip/index.ts';
import { applyCr0, applyCr4, applyEfer, currentCr0, currentCr4 } from './mode.ts';
import type { VcpuState } from './state.ts';

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldt', 'tr'] as const;
const CR0_PG = 1n << 31n;
const CR0_PE = 1n;

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
  registers.rflags = steppingRflags(kvm, vcpu, regs.rflags | 2n);
  vcpu.events.exception.pending = false;
  vcpu.at.stale = true;
  vcpu.checkEntry = true;
  request(vcpu, REQ_EVENT);
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
  out.cr8 = irqchip === undefined ? vcpu.run.cr8 : taskPriority(irqchip, vcpu.index);
  out.efer = vcpu.control.efer;
  out.apicBase = irqchip === undefined ? BigInt(vcpu.run.apicBase) : apicBaseRead(irqchip, vcpu.index);
  out.interrupt = vcpu.events.interrupt.injected ? vcpu.events.interrupt.vector : -1;
  return 0;
}

/** KVM_SET_SREGS(2). EINVAL for a combination no processor can be in. */
export function setSregs(kvm: KvmContext, vcpu: VcpuState, sregs: Sregs): number {
  if ((sregs.cr0 & CR0_PG) !== 0n && (sregs.cr0 & CR0_PE) === 0n) return -EINVAL;
  const { irqchip } = vmOf(kvm);
  if (irqchip !== undefined && !apicBaseWrite(irqchip, vcpu.index, sregs.apicBase, kvm.irq, true)) return -EINVAL;
  vcpu.run.apicBase = Number(sregs.apicBase);
  const registers = kvm.guest.registers(vcpu.index);
  registers.gdtr = { ...sregs.gdt };
  registers.idtr = { ...sregs.idt };
  registers.cr2 = sregs.cr2;
  registers.cr3 = sregs.cr3;
  if (irqchip !== undefined) writeTaskPriority(irqchip, vcpu.index, sregs.cr8, kvm.irq);
  else vcpu.run.cr8 = sregs.cr8;
  applyEfer(kvm, vcpu, sregs.efer);
  applyCr4(kvm, vcpu, sregs.cr4);
  // LMA as user space has it: CR0.PG must not derive it anew.
  applyCr0(kvm, vcpu, sregs.cr0);
  applyEfer(kvm, vcpu, sregs.efer);
  SEGMENTS.forEach((name, index) => registers.setSegment(index, sregs[name]));
  vcpu.at.stale = true;
  vcpu.checkEntry = true;
  request(vcpu, REQ_EVENT);
  return 0;
}
