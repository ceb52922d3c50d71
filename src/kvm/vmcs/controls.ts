import type { Vmcs, VmcsControls } from './vmcs.ts';
import { type KvmContext, vmOf } from '../context.ts';
import { ALWAYS_ONE, PIN, PRIMARY, SECONDARY, VM_ENTRY, VM_EXIT } from '../../x86/controls.ts';
import type { ExecutionControls } from '../../x86/guest.ts';
import { FILTER_READ, FILTER_WRITE, isMsrAllowed } from '../vcpu/msr-filter.ts';
import type { MsrFilterState, VcpuState } from '../state.ts';
import { FIELDS } from '../../x86/vmcs-fields.ts';
import { type ControlField, KEPT } from './fields.ts';
import { CR0, CR0_AT_RESET, CR4 } from '../../x86/registers.ts';
import { HIGH_MSRS, MSR, MSRS_IN_BITMAP } from '../../x86/msrs.ts';
import { VECTOR } from '../../x86/exceptions.ts';

/** The VMCS that is loaded: the one the next entry goes by. Linux vmx->loaded_vmcs. */
export const loadedVmcs = ({ vmcs01 }: VcpuState): Vmcs => vmcs01;

/** What a vCPU's controls start with, besides what must be set. Linux setup_vmcs_config. */
const AT_START = {
  pin: ALWAYS_ONE.PIN | PIN.EXTERNAL_INTERRUPT_EXITING | PIN.NMI_EXITING | PIN.VIRTUAL_NMIS | PIN.PREEMPTION_TIMER,
  primary:
    (ALWAYS_ONE.PRIMARY |
      PRIMARY.TSC_OFFSETTING |
      PRIMARY.HLT_EXITING |
      PRIMARY.MWAIT_EXITING |
      PRIMARY.RDPMC_EXITING |
      PRIMARY.TPR_SHADOW |
      PRIMARY.MOV_DR_EXITING |
      PRIMARY.UNCONDITIONAL_IO_EXITING |
      PRIMARY.MSR_BITMAPS |
      PRIMARY.MONITOR_EXITING |
      PRIMARY.SECONDARY_CONTROLS) >>>
    0,
  secondary:
    SECONDARY.EPT |
    SECONDARY.RDTSCP |
    SECONDARY.VPID |
    SECONDARY.WBINVD_EXITING |
    SECONDARY.UNRESTRICTED_GUEST |
    SECONDARY.PAUSE_LOOP_EXITING |
    SECONDARY.INVPCID,
  exit:
    ALWAYS_ONE.EXIT |
    VM_EXIT.SAVE_DEBUG_CONTROLS |
    VM_EXIT.HOST_ADDRESS_SPACE_SIZE |
    VM_EXIT.ACKNOWLEDGE_INTERRUPT |
    VM_EXIT.LOAD_PAT |
    VM_EXIT.LOAD_EFER,
  entry: ALWAYS_ONE.ENTRY | VM_ENTRY.LOAD_DEBUG_CONTROLS | VM_ENTRY.LOAD_PAT | VM_ENTRY.LOAD_EFER,
} as const;
/** Page faults are the guest's own affair under EPT. */
const EXCEPTIONS = (1 << VECTOR.DB) | (1 << VECTOR.UD) | (1 << VECTOR.AC) | (1 << VECTOR.MC);

/** What the guest may change without an exit. Linux KVM_POSSIBLE_CR0_GUEST_BITS and CR4. */
export const CR0_GUEST_OWNED = BigInt(CR0.TS | CR0.WP);
export const CR4_GUEST_OWNED = BigInt(
  CR4.PVI | CR4.TSD | CR4.DE | CR4.PGE | CR4.PCE | CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.FSGSBASE,
);
const ALL_64 = 0xffff_ffff_ffff_ffffn;

const PLE_GAP = 128;
/** Linux KVM_VMX_DEFAULT_PLE_WINDOW. */
export const PLE_WINDOW = 4096;

/** The guest's own: SYSENTER, FS and GS bases. The TSC may be read, not written. Linux vmx_create_vcpu. */
const OWN_MSRS = [
  ...[MSR.SYSENTER_CS, MSR.SYSENTER_ESP, MSR.SYSENTER_EIP],
  ...[MSR.FS_BASE, MSR.GS_BASE, MSR.KERNEL_GS_BASE],
];

/** A new vCPU's first VMCS: Linux init_vmcs. */
export function newVmcs01(vcpu: number): Vmcs {
  return {
    name: 'vmcs01',
    vcpu,
    ...AT_START,
    exceptionBitmap: EXCEPTIONS,
    pageFaultErrorCodeMask: 0,
    pageFaultErrorCodeMatch: 0,
    cr0Mask: ALL_64 & ~CR0_GUEST_OWNED,
    cr0Shadow: CR0_AT_RESET,
    cr4Mask: ALL_64 & ~CR4_GUEST_OWNED,
    cr4Shadow: 0n,
    guestEfer: 0n,
    tscOffset: 0n,
    eptPointer: 0n,
    tprThreshold: 0,
    pleGap: PLE_GAP,
    pleWindow: PLE_WINDOW,
    vpid: vcpu + 1,
  };
}

/** Change one field: the fact is raised, the processor told before the next entry. */
export function writeVmcs<K extends ControlField>(kvm: KvmContext, vmcs: Vmcs, field: K, value: VmcsControls[K]): void {
  if (vmcs[field] === value) return;
  const { name, encoding } = FIELDS[KEPT[field]];
  kvm.raise({
    kind: 'sim:vmcs_write',
    vcpu_id: vmcs.vcpu,
    vmcs: vmcs.name,
    field: name,
    enc: encoding,
    value: typeof value === 'bigint' ? value : BigInt(value),
  });
  kvm.guest.controlsChanged(vmcs.vcpu);
}

/** Tell the processor what the VMCS holds. */
export function obey(kvm: KvmContext, vmcs: Vmcs): void {
  kvm.guest.setControls(vmcs.vcpu, executionControls(vmcs, vmOf(kvm).msrFilter));
}

/** Set or clear bits of the primary processor-based controls (exec_controls_setbit, clearbit). */
export function primaryBits(kvm: KvmContext, vmcs: Vmcs, bits: number, on: boolean): void {
  const { primary } = vmcs;
  const value = (on ? primary | bits : primary & ~bits) >>> 0;
  if (value !== primary) writeVmcs(kvm, vmcs, 'primary', value);
}

/** Set or clear bits of the exception bitmap (vmx_update_exception_bitmap). */
export function exceptionBits(kvm: KvmContext, vmcs: Vmcs, bits: number, on: boolean): void {
  const { exceptionBitmap } = vmcs;
  writeVmcs(kvm, vmcs, 'exceptionBitmap', on ? exceptionBitmap | bits : exceptionBitmap & ~bits);
}

/** The MSR bitmap page, the same for every vCPU. SDM Vol. 3, 26.6.9: a set bit exits. */
function msrBitmap(filter?: MsrFilterState): Uint8Array {
  const page = new Uint8Array(4096).fill(0xff);
  const allow = (msr: number, offset: number): void => {
    const at = offset + (msr >= HIGH_MSRS ? 1024 : 0);
    page[at + ((msr & (MSRS_IN_BITMAP - 1)) >> 3)]! &= ~(1 << (msr & 7));
  };
  for (const msr of [MSR.TSC, ...OWN_MSRS]) if (isMsrAllowed(filter, msr, FILTER_READ)) allow(msr, 0);
  for (const msr of OWN_MSRS) if (isMsrAllowed(filter, msr, FILTER_WRITE)) allow(msr, 2048);
  return page;
}

const MSR_BITMAP = msrBitmap();
/** KVM lets every port exit; the bitmaps are not used. */
const IO_BITMAP = new Uint8Array(8192);

/** The processor's copy of the controls. */
function executionControls(controls: VmcsControls, filter: MsrFilterState | undefined): ExecutionControls {
  return { ...controls, ioBitmap: IO_BITMAP, msrBitmap: filter === undefined ? MSR_BITMAP : msrBitmap(filter) };
}
