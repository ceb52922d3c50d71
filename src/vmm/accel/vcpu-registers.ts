import {
  KVM_SET_DEBUGREGS,
  KVM_SET_LAPIC,
  KVM_SET_MP_STATE,
  KVM_SET_MSRS,
  KVM_SET_REGS,
  KVM_SET_SREGS2,
  KVM_SET_VCPU_EVENTS,
  KVM_SET_XCRS,
  KVM_SET_XSAVE,
  type Regs,
  type Sregs,
} from '../../kvm/ioctl/ioctls.ts';
import type { KernelEntry, RealModeEntry } from '../loaders/plan.ts';
import type { Machine } from '../board/machine.ts';
import { vcpuIoctl } from './traced-kvm.ts';
import { CR0_AT_RESET, CR0_ET, CR0_PE, DR6_ONES, DR7_ONE, FLAT, RFLAGS_FIXED } from '../../x86/registers.ts';
import { MSR, MSR_KVM, PAT_AT_RESET } from '../../x86/msrs.ts';

type Segment = Sregs['cs'];

/**
 * Put a vCPU where hardware reset puts it; those after the first wait for a start-up IPI. SDM Vol. 3, Table 10-1.
 * The order of the ioctls is that of QEMU's kvm_arch_put_registers.
 */
export function resetVcpu(machine: Machine, vcpu: number): void {
  vcpuIoctl(machine, vcpu, KVM_SET_SREGS2, resetSregs(vcpu));
  vcpuIoctl(machine, vcpu, KVM_SET_REGS, { ...zeroRegs(), rip: 0xfff0n, rdx: BigInt(machine.board.processorId[0]) });
  vcpuIoctl(machine, vcpu, KVM_SET_XSAVE, { region: initialXsave() });
  vcpuIoctl(machine, vcpu, KVM_SET_XCRS, { xcrs: [{ xcr: 0, value: 1n }] });
  vcpuIoctl(machine, vcpu, KVM_SET_MSRS, { entries: RESET_MSRS.map(([index, data]) => ({ index, data })) });
  vcpuIoctl(machine, vcpu, KVM_SET_VCPU_EVENTS, NO_EVENTS);
  vcpuIoctl(machine, vcpu, KVM_SET_MP_STATE, { mpState: vcpu === 0 ? RUNNABLE : UNINITIALIZED });
  vcpuIoctl(machine, vcpu, KVM_SET_DEBUGREGS, { db: [0n, 0n, 0n, 0n], dr6: DR6_ONES, dr7: DR7_ONE });
  vcpuIoctl(machine, vcpu, KVM_SET_LAPIC, { regs: initialLapic(vcpu) });
}

/** Start the first vCPU where a loader says. */
export function enterKernel(machine: Machine, entry: KernelEntry | RealModeEntry): void {
  if ('eip' in entry) enterProtectedMode(machine, entry);
  else enterRealMode(machine, entry);
}

function enterRealMode(machine: Machine, { codeSegment, dataSegment, sp }: RealModeEntry): void {
  const at = (selector: number, access: number): Segment => ({
    selector,
    base: BigInt(selector << 4),
    limit: 0xffff,
    access,
  });
  const data = at(dataSegment, 0x93);
  const code = at(codeSegment, 0x9b);
  const idt = { base: 0n, limit: 0x3ff };
  const segments = { cs: code, ds: data, es: data, fs: data, gs: data, ss: data, idt };
  vcpuIoctl(machine, 0, KVM_SET_SREGS2, { ...resetSregs(0), ...segments });
  vcpuIoctl(machine, 0, KVM_SET_REGS, { ...zeroRegs(), rip: 0n, rsp: BigInt(sp) });
}

/** Flat 32-bit protected mode, paging and interrupts off. */
function enterProtectedMode(machine: Machine, entry: KernelEntry): void {
  const code = flat(entry.codeSelector, FLAT.CODE_32);
  const data = flat(entry.dataSelector, FLAT.DATA);
  vcpuIoctl(machine, 0, KVM_SET_SREGS2, {
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
  vcpuIoctl(machine, 0, KVM_SET_REGS, {
    ...zeroRegs(),
    rip: BigInt(entry.eip),
    rax: BigInt(entry.eax),
    rbx: BigInt(entry.ebx),
    rsi: BigInt(entry.esi),
  });
}

/** Let the first vCPU go on in real mode, where a waking vector says (a linear address below 1 MiB). */
export function resumeAt(machine: Machine, vector: number): void {
  const selector = (vector >>> 4) & 0xffff;
  const cs = { ...resetSregs(0).cs, selector, base: BigInt(selector) << 4n };
  vcpuIoctl(machine, 0, KVM_SET_SREGS2, { ...resetSregs(0), cs });
  vcpuIoctl(machine, 0, KVM_SET_REGS, { ...zeroRegs(), rip: BigInt(vector & 0xf) });
}

/** Memory types as firmware leaves them on every vCPU: write-back but for the PCI hole. SDM Vol. 3, 12.11. */
export function setMemoryTypes(machine: Machine, pciHole: number): void {
  const writeBack = 0x0606060606060606n;
  const mask = (2n ** 40n - (2n ** 32n - BigInt(pciHole))) | MTRR_VALID;
  const fixed4k = Array.from({ length: 8 }, (_, index) => MSR.MTRR_FIX4K_C0000 + index);
  const fixed = [MSR.MTRR_FIX64K_00000, MSR.MTRR_FIX16K_80000, ...fixed4k];
  const entries = [
    ...fixed.map((index) => ({ index, data: writeBack })),
    { index: MSR.MTRR_FIX16K_A0000, data: 0n },
    { index: MSR.MTRR_PHYSBASE0, data: BigInt(pciHole) },
    { index: MSR.MTRR_PHYSMASK0, data: mask },
    { index: MSR.MTRR_DEF_TYPE, data: MTRR_ENABLED_WRITE_BACK },
  ];
  machine.fds.vcpus.forEach((_fd, vcpu) => vcpuIoctl(machine, vcpu, KVM_SET_MSRS, { entries }));
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
    cr0: CR0_AT_RESET,
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
    rflags: RFLAGS_FIXED,
  };
}

const flat = (selector: number, access: number): Segment => ({ selector, base: 0n, limit: FLAT.LIMIT, access });

const RUNNABLE = 0;
const UNINITIALIZED = 1;
const PROTECTED = CR0_PE | CR0_ET;
const MTRR_VALID = 0x800n;
/** Enabled, fixed ranges enabled, default write-back. */
const MTRR_ENABLED_WRITE_BACK = 0xc06n;

/** FCW 037f, MXCSR 1f80, the rest zero, in the legacy region of an XSAVE area. SDM Vol. 1, 13.4.1. */
function initialXsave(): Uint8Array {
  const area = new Uint8Array(576);
  const view = new DataView(area.buffer);
  view.setUint16(0, 0x37f, true);
  view.setUint32(24, 0x1f80, true);
  return area;
}

/** The first processor's LINT0 passes the PICs' interrupts on. SDM Vol. 3, 11.4.7.1; QEMU's apic_designate_bsp. */
function initialLapic(vcpu: number): Uint8Array {
  const page = new Uint8Array(0x400);
  const view = new DataView(page.buffer);
  view.setUint32(0x20, vcpu << 24, true);
  view.setUint32(0x30, 0x50014, true);
  view.setUint32(0xe0, 0xffffffff, true);
  view.setUint32(0xf0, 0xff, true);
  for (let lvt = 0x320; lvt <= 0x370; lvt += 0x10) view.setUint32(lvt, LVT_MASKED, true);
  if (vcpu === 0) view.setUint32(0x350, LVT_EXTINT, true);
  return page;
}

const NO_EVENTS = {
  exception: { injected: false, pending: false, nr: 0, hasErrorCode: false, errorCode: 0, payload: undefined },
  interrupt: { injected: false, nr: 0, soft: false, shadow: 0 },
  nmi: { injected: false, pending: false, masked: false },
  sipiVector: 0,
  tripleFault: false,
  /** KVM_VCPUEVENT_VALID_NMI_PENDING, SIPI_VECTOR and SHADOW. */
  flags: 7,
};
const LVT_MASKED = 0x10000;
const LVT_EXTINT = 0x700;

/** SYSENTER, STAR and its kin, PAT, MISC_ENABLE, MTRRs off, and KVM's own: clock, async faults, steal time, EOI. */
const RESET_MSRS: readonly (readonly [number, bigint])[] = [
  [MSR.SYSENTER_CS, 0n],
  [MSR.SYSENTER_ESP, 0n],
  [MSR.SYSENTER_EIP, 0n],
  [MSR.PAT, PAT_AT_RESET],
  [MSR.MISC_ENABLE, 1n],
  [MSR.MTRR_DEF_TYPE, 0n],
  [MSR.STAR, 0n],
  [MSR.LSTAR, 0n],
  [MSR.CSTAR, 0n],
  [MSR.FMASK, 0n],
  [MSR.KERNEL_GS_BASE, 0n],
  [MSR_KVM.SYSTEM_TIME_NEW, 0n],
  [MSR_KVM.WALL_CLOCK_NEW, 0n],
  [MSR_KVM.ASYNC_PF_EN, 0n],
  [MSR_KVM.PV_EOI_EN, 0n],
  [MSR_KVM.STEAL_TIME, 0n],
  [MSR_KVM.POLL_CONTROL, 1n],
];
