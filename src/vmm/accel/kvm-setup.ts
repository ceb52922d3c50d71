import type { MachineEvent } from '../../events/vocabulary.ts';
import {
  type CpuidTable,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_IRQCHIP,
  KVM_CREATE_PIT2,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_ENABLE_CAP,
  KVM_GET_API_VERSION,
  KVM_GET_CLOCK,
  KVM_GET_MSR_FEATURE_INDEX_LIST,
  KVM_GET_MSR_INDEX_LIST,
  KVM_GET_SUPPORTED_CPUID,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_SET_CPUID2,
  KVM_SET_GSI_ROUTING,
  KVM_SET_IDENTITY_MAP_ADDR,
  KVM_SET_MSRS,
  KVM_SET_TSS_ADDR,
  KVM_X86_GET_MCE_CAP_SUPPORTED,
  KVM_X86_SETUP_MCE,
} from '../../kvm/ioctl/ioctls.ts';
import { MSR } from '../../x86/msrs.ts';
import { type CpuModel, modelCpuid } from '../cpu/model.ts';
import { cpuidOf } from '../cpu/cpuid.ts';
import type { VmFds } from '../board/machine.ts';
import type { ProcessorId } from '../cpu/cpuid.ts';
import { pcRoutes } from './gsi-routes.ts';
import { filterMsrs } from './msr-exits.ts';
import { kvmIoctl, type TracedKvm, vcpuIoctl, vmIoctl } from './traced-kvm.ts';

/** A virtual machine and what its processors call themselves. */
export interface CreatedVm {
  readonly fds: VmFds;
  readonly processorId: ProcessorId;
}

/** Make a virtual machine with in-kernel interrupt controllers by the ioctls QEMU 7.2 makes, in its order. */
export function createVm(caller: TracedKvm, cpus: number, model?: CpuModel): CreatedVm {
  const kvm = caller.kvm.open();
  kvmIoctl(caller, kvm, KVM_GET_API_VERSION);
  check(caller, kvm, ['IMMEDIATE_EXIT', 'NR_MEMSLOTS', 'MULTI_ADDRESS_SPACE']);
  const vm = kvmIoctl(caller, kvm, KVM_CREATE_VM, 0);
  vmIoctl(caller, vm, KVM_CHECK_EXTENSION, CAP.NR_VCPUS);
  check(caller, kvm, REQUIRED);
  enable(caller, vm, CAP.MANUAL_DIRTY_LOG_PROTECT2, DIRTY_LOG_MANUAL_AND_INITIALLY_SET);
  check(caller, kvm, OPTIONAL);
  enable(caller, vm, CAP.EXCEPTION_PAYLOAD, 1n);
  check(caller, kvm, ['X86_TRIPLE_FAULT_EVENT']);
  enable(caller, vm, CAP.X86_TRIPLE_FAULT_EVENT, 1n);
  for (const request of [KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST] as const) {
    kvmIoctl(caller, kvm, request, { indices: [] });
  }
  vmIoctl(caller, vm, KVM_SET_IDENTITY_MAP_ADDR, IDENTITY_MAP);
  vmIoctl(caller, vm, KVM_SET_TSS_ADDR, IDENTITY_MAP + 0x1000);
  enable(caller, vm, CAP.X86_USER_SPACE_MSR, MSR_EXIT_REASON_FILTER);
  filterMsrs(caller, vm);
  vmIoctl(caller, vm, KVM_CREATE_IRQCHIP);
  const supported: CpuidTable = { entries: [] };
  kvmIoctl(caller, kvm, KVM_GET_SUPPORTED_CPUID, supported);
  supported.entries = modelCpuid(supported.entries, model);
  const fds = { kvm, vm, vcpus: [] as number[] };
  for (let id = 0; id < cpus; id++) createVcpu(caller, fds, supported, id, cpus);
  vmIoctl(caller, vm, KVM_GET_CLOCK, { clock: 0n, flags: 0 });
  const version = supported.entries.find((entry) => entry.function === 1);
  return { fds, processorId: [version?.eax ?? 0, version?.edx ?? 0] };
}

/** Lead the global system interrupts where a PC has them. */
export function createInterruptRoutes(caller: TracedKvm, vm: number): void {
  caller.raise({ kind: 'kvm_irqchip_commit_routes' });
  vmIoctl(caller, vm, KVM_SET_GSI_ROUTING, { entries: pcRoutes() });
}

/** The timer chip, with the speaker's gate at port 0x61. */
export function createTimer(caller: TracedKvm, vm: number): void {
  vmIoctl(caller, vm, KVM_CREATE_PIT2, { flags: PIT_SPEAKER_DUMMY });
}

function createVcpu(
  caller: TracedKvm,
  fds: { readonly kvm: number; readonly vm: number; readonly vcpus: number[] },
  supported: CpuidTable,
  id: number,
  cpus: number,
): void {
  const vcpu = { kvm: caller.kvm, raise: (event: MachineEvent) => caller.raise(event), fds };
  caller.raise({ kind: 'kvm_init_vcpu', index: id, id });
  fds.vcpus.push(vmIoctl(caller, fds.vm, KVM_CREATE_VCPU, id));
  kvmIoctl(caller, fds.kvm, KVM_GET_VCPU_MMAP_SIZE);
  kvmIoctl(caller, fds.kvm, KVM_X86_GET_MCE_CAP_SUPPORTED, { cap: 0n });
  vcpuIoctl(vcpu, id, KVM_X86_SETUP_MCE, MCE_TEN_BANKS);
  vcpuIoctl(vcpu, id, KVM_SET_CPUID2, { entries: cpuidOf(supported.entries, id, cpus) });
  vcpuIoctl(vcpu, id, KVM_SET_MSRS, { entries: [{ index: MSR.BIOS_SIGN_ID, data: MICROCODE }] });
}

function check(caller: TracedKvm, fd: number, capabilities: readonly (keyof typeof CAP)[]): void {
  for (const name of capabilities) kvmIoctl(caller, fd, KVM_CHECK_EXTENSION, CAP[name]);
}

function enable(caller: TracedKvm, vm: number, cap: number, arg: bigint): void {
  vmIoctl(caller, vm, KVM_ENABLE_CAP, { cap, args: [arg] });
}

/** Capability numbers. Linux include/uapi/linux/kvm.h. */
const CAP = {
  USER_MEMORY: 3,
  SET_TSS_ADDR: 4,
  EXT_CPUID: 7,
  NR_VCPUS: 9,
  NR_MEMSLOTS: 10,
  MP_STATE: 14,
  COALESCED_MMIO: 15,
  DESTROY_MEMORY_REGION_WORKS: 21,
  JOIN_MEMORY_REGIONS_WORKS: 30,
  IRQFD: 32,
  PIT_STATE2: 35,
  IOEVENTFD: 36,
  VCPU_EVENTS: 41,
  DEBUGREGS: 50,
  X86_ROBUST_SINGLESTEP: 51,
  XSAVE: 55,
  XCRS: 56,
  MAX_VCPUS: 66,
  SIGNAL_MSI: 77,
  READONLY_MEM: 81,
  IRQFD_RESAMPLE: 82,
  IOEVENTFD_ANY_LENGTH: 122,
  MULTI_ADDRESS_SPACE: 118,
  IMMEDIATE_EXIT: 136,
  COALESCED_PIO: 162,
  EXCEPTION_PAYLOAD: 164,
  MANUAL_DIRTY_LOG_PROTECT2: 168,
  X86_USER_SPACE_MSR: 188,
  X86_TRIPLE_FAULT_EVENT: 218,
} as const;

const REQUIRED = [
  'MAX_VCPUS',
  'USER_MEMORY',
  'DESTROY_MEMORY_REGION_WORKS',
  'JOIN_MEMORY_REGIONS_WORKS',
  'SET_TSS_ADDR',
  'EXT_CPUID',
  'MP_STATE',
  'COALESCED_MMIO',
  'COALESCED_PIO',
  'MANUAL_DIRTY_LOG_PROTECT2',
] as const;

const OPTIONAL = [
  'VCPU_EVENTS',
  'X86_ROBUST_SINGLESTEP',
  'DEBUGREGS',
  'SIGNAL_MSI',
  'IOEVENTFD',
  'IRQFD',
  'READONLY_MEM',
  'IOEVENTFD_ANY_LENGTH',
  'XCRS',
  'XSAVE',
  'PIT_STATE2',
  'IRQFD_RESAMPLE',
] as const;

/** KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE and KVM_DIRTY_LOG_INITIALLY_SET. */
const DIRTY_LOG_MANUAL_AND_INITIALLY_SET = 3n;
const MSR_EXIT_REASON_FILTER = 4n;
/** MCG_CTL, software error recovery and ten banks: QEMU's MCE_CAP_DEF and MCE_BANKS_DEF. */
const MCE_TEN_BANKS = 0x100010an;
/** QEMU's microcode revision for Intel processors. */
const MICROCODE = 0x100000000n;
/** Pages KVM needs below 4 GiB on Intel hosts. */
const IDENTITY_MAP = 0xfeffc000;
const PIT_SPEAKER_DUMMY = 1;
