import { FIELDS, type FieldName } from '../../x86/vmcs-fields.ts';
import type { VmcsControls } from './vmcs.ts';

/** Fields KVM keeps as plain numbers. */
export type ControlField = keyof VmcsControls;

/** Which field of the VMCS each of them is. */
export const KEPT: Readonly<Record<ControlField, FieldName>> = {
  vpid: 'VIRTUAL_PROCESSOR_ID',
  tscOffset: 'TSC_OFFSET',
  eptPointer: 'EPT_POINTER',
  guestEfer: 'GUEST_IA32_EFER',
  pin: 'PIN_BASED_VM_EXEC_CONTROL',
  primary: 'CPU_BASED_VM_EXEC_CONTROL',
  exceptionBitmap: 'EXCEPTION_BITMAP',
  pageFaultErrorCodeMask: 'PAGE_FAULT_ERROR_CODE_MASK',
  pageFaultErrorCodeMatch: 'PAGE_FAULT_ERROR_CODE_MATCH',
  exit: 'VM_EXIT_CONTROLS',
  entry: 'VM_ENTRY_CONTROLS',
  tprThreshold: 'TPR_THRESHOLD',
  secondary: 'SECONDARY_VM_EXEC_CONTROL',
  pleGap: 'PLE_GAP',
  pleWindow: 'PLE_WINDOW',
  cr0Mask: 'CR0_GUEST_HOST_MASK',
  cr4Mask: 'CR4_GUEST_HOST_MASK',
  cr0Shadow: 'CR0_READ_SHADOW',
  cr4Shadow: 'CR4_READ_SHADOW',
};

const ALL = Object.entries(KEPT) as [ControlField, FieldName][];

/** By encoding: which of these fields it is. */
export const FIELD_OF: Readonly<Record<number, ControlField>> = Object.fromEntries(
  ALL.map(([kept, name]) => [FIELDS[name].encoding, kept]),
);

/** By name, where KVM keeps it. */
export const KEPT_AS = Object.fromEntries(ALL.map(([kept, name]) => [name, kept])) as Readonly<
  Partial<Record<FieldName, ControlField>>
>;
