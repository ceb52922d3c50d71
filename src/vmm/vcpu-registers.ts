import {
  KVM_GET_CPUID2,
  KVM_SET_MP_STATE,
  KVM_SET_MSRS,
  KVM_SET_REGS,
  KVM_SET_SREGS,
  type CpuidTable,
  type Regs,
  type Sregs,
} from '../kvm/ioctls.ts';
import type { KernelEntry } from './loaders/plan.ts';
import type { Machine } from './machine.ts';

type Segment = Sregs['cs'];

/** Put a vCPU where hardware reset puts it; those after the first wait for a start-up IPI. SDM Vol. 3, Table 10-1. */
export function resetRegisters(machine: Machine, vcpu: number): void {
  const fd = machine.fds.vcpus[vcpu]!;
  const { kvm } = machine;
  kvm.ioctl(fd, KVM_SET_SREGS, resetSregs(vcpu));
  kvm.ioctl(fd, KVM_SET_REGS, { ...zeroRegs(), rip: 0xfff0n, rdx: BigInt(signature(machine, fd)) });
  kvm.ioctl(fd, KVM_SET_MP_STATE, { mpState: vcpu === 0 ? RUNNABLE : UNINITIALIZED });
}

/** Start the first vCPU at a kernel's entry: flat 32-bit protected mode, paging and interrupts off. */
export function enterKernel(machine: Machine, entry: KernelEntry): void {
  const fd = machine.fds.vcpus[0]!;
  const code = flat(entry.codeSelector, 0xc09b);
  const data = flat(entry.dataSelector, 0xc093);
  machine.kvm.ioctl(fd, KVM_SET_SREGS, {
    ...resetSregs(0),
    cs: code,
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    gdt: { base: BigInt(entry.gdtBase), limit: entry.gdtLimit },
    cr0: PROTECTED,
  });
  machine.kvm.ioctl(fd, KVM_SET_REGS, {
    ...zeroRegs(),
    rip: BigInt(entry.eip),
    rax: BigInt(entry.eax),
    rbx: BigInt(entry.ebx),
    rsi: BigInt(entry.esi),
  });
}

/** Memory types as firmware leaves them on every vCPU: write-back but for the PCI hole. SDM Vol. 3, 12.11. */
export function setMemoryTypes(machine: Machine, pciHole: number): void {
  const writeBack = 0x0606060606060606n;
  const mask = (2n ** 40n - (2n ** 32n - BigInt(pciHole))) | MTRR_VALID;
  const fixed = [0x250, 0x258, ...Array.from({ length: 8 }, (_, index) => 0x268 + index)];
  const entries = [
    ...fixed.map((index) => ({ index, data: index === 0x259 ? 0n : writeBack })),
    { index: 0x259, data: 0n },
    { index: 0x200, data: BigInt(pciHole) },
    { index: 0x201, data: mask },
    { index: 0x2ff, data: MTRR_ENABLED_WRITE_BACK },
  ];
  for (const fd of machine.fds.vcpus) machine.kvm.ioctl(fd, KVM_SET_MSRS, { entries });
}

function resetSregs(vcpu: number): Sregs {
  const data = (): Segment => ({ selector: 0, base: 0n, limit: 0xffff, access: 0x93 });
  return {
    cs: { selector: 0xf000, base: 0xffff0000n, limit: 0xffff, access: 0x9b },
    ds: data(),
    es: data(),
    fs: data(),
    gs: data(),
    ss: data(),
    tr: { selector: 0, base: 0n, limit: 0xffff, access: 0x8b },
    ldt: { selector: 0, base: 0n, limit: 0xffff, access: 0x82 },
    gdt: { base: 0n, limit: 0xffff },
    idt: { base: 0n, limit: 0xffff },
    cr0: 0x60000010n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0,
    efer: 0n,
    apicBase: vcpu === 0 ? 0xfee00900n : 0xfee00800n,
    interrupt: -1,
  };
}

function zeroRegs(): Regs {
  return {
    rax: 0n,
    rbx: 0n,
    rcx: 0n,
    rdx: 0n,
    rsi: 0n,
    rdi: 0n,
    rsp: 0n,
    rbp: 0n,
    r8: 0n,
    r9: 0n,
    r10: 0n,
    r11: 0n,
    r12: 0n,
    r13: 0n,
    r14: 0n,
    r15: 0n,
    rip: 0n,
    rflags: 2n,
  };
}

const flat = (selector: number, access: number): Segment => ({ selector, base: 0n, limit: 0xffffffff, access });

/** EDX at reset is the processor's signature. */
function signature(machine: Machine, fd: number): number {
  const table: CpuidTable = { entries: [] };
  machine.kvm.ioctl(fd, KVM_GET_CPUID2, table);
  return table.entries.find((entry) => entry.function === 1)?.eax ?? 0;
}

const RUNNABLE = 0;
const UNINITIALIZED = 1;
/** CR0.PE and CR0.ET. */
const PROTECTED = 0x11n;
const MTRR_VALID = 0x800n;
/** Enabled, fixed ranges enabled, default write-back. */
const MTRR_ENABLED_WRITE_BACK = 0xc06n;
