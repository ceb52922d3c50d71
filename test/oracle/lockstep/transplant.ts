import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Segment } from '../../../src/x86/guest.ts';
import { KVM_SET_REGS, KVM_SET_SREGS } from '../../../src/kvm/ioctl/ioctls.ts';
import type { StoppedQemu } from '../qemu/qemu.ts';
import { type MonitorSegment, readRegisters, readSystemRegisters } from '../qemu/registers.ts';
import type { SteppedMachine } from '../stepped-machine.ts';

const UNUSABLE = 1 << 16;
const PRESENT = 0x80;
const APIC_BASE = 0xfee00900n;

/** A descriptor's attribute word as VMX access rights. SDM Vol. 3, Table 25-2. */
function toSegment({ selector, base, limit, flags }: MonitorSegment): Segment {
  const access = (flags >>> 8) & 0xf0ff;
  return { selector, base, limit, access: access & PRESENT ? access : access | UNUSABLE };
}

/** Put QEMU's whole state, memory and registers, into our machine. */
export function transplant(qemu: StoppedQemu, stepped: SteppedMachine, memoryBytes: number): void {
  const file = join(qemu.folder, 'memory');
  qemu.gdb.monitor(`pmemsave 0 ${memoryBytes} "${file}"`);
  const memory = readFileSync(file);
  for (let at = 0; at < memory.length; at += 4096) stepped.writePhysical(at, memory.subarray(at, at + 4096));
  const { gpr, rip, eflags } = readRegisters(qemu.gdb);
  const system = readSystemRegisters(qemu.gdb);
  const [es, cs, ss, ds, fs, gs, ldt, tr] = system.segments.map(toSegment);
  const busy = { ...tr!, access: (tr!.access & ~0xf) | 0xb };
  stepped.vcpuIoctl(KVM_SET_SREGS, {
    es,
    cs,
    ss,
    ds,
    fs,
    gs,
    ldt,
    tr: busy,
    gdt: system.gdtr,
    idt: system.idtr,
    cr0: system.cr0,
    cr2: system.cr2,
    cr3: system.cr3,
    cr4: system.cr4,
    cr8: 0,
    efer: system.efer,
    apicBase: APIC_BASE,
  });
  const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = gpr;
  stepped.vcpuIoctl(KVM_SET_REGS, {
    rax,
    rbx,
    rcx,
    rdx,
    rsi,
    rdi,
    rsp,
    rbp,
    r8,
    r9,
    r10,
    r11,
    r12,
    r13,
    r14,
    r15,
    rip,
    rflags: BigInt(eflags),
  });
}
