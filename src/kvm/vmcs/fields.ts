import type { VmcsControls } from './controls.ts';

/** A VMCS field: its SDM name and encoding. SDM Vol. 3, Appendix B. */
export interface VmcsField {
  readonly name: string;
  readonly encoding: number;
}

/** Fields KVM keeps as plain numbers. */
export type ControlField = keyof VmcsControls;

const field = (name: string, encoding: number): VmcsField => ({ name, encoding });

/** Names and encodings of these fields. */
export const ENCODINGS: Readonly<Record<ControlField, VmcsField>> = {
  vpid: field('VIRTUAL_PROCESSOR_ID', 0x0000),
  tscOffset: field('TSC_OFFSET', 0x2010),
  eptPointer: field('EPT_POINTER', 0x201a),
  guestEfer: field('GUEST_IA32_EFER', 0x2806),
  pin: field('PIN_BASED_VM_EXEC_CONTROL', 0x4000),
  primary: field('CPU_BASED_VM_EXEC_CONTROL', 0x4002),
  exceptionBitmap: field('EXCEPTION_BITMAP', 0x4004),
  pageFaultErrorCodeMask: field('PAGE_FAULT_ERROR_CODE_MASK', 0x4006),
  pageFaultErrorCodeMatch: field('PAGE_FAULT_ERROR_CODE_MATCH', 0x4008),
  exit: field('VM_EXIT_CONTROLS', 0x400c),
  entry: field('VM_ENTRY_CONTROLS', 0x4012),
  tprThreshold: field('TPR_THRESHOLD', 0x401c),
  secondary: field('SECONDARY_VM_EXEC_CONTROL', 0x401e),
  pleGap: field('PLE_GAP', 0x4020),
  pleWindow: field('PLE_WINDOW', 0x4022),
  cr0Mask: field('CR0_GUEST_HOST_MASK', 0x6000),
  cr4Mask: field('CR4_GUEST_HOST_MASK', 0x6002),
  cr0Shadow: field('CR0_READ_SHADOW', 0x6004),
  cr4Shadow: field('CR4_READ_SHADOW', 0x6006),
};

/** By encoding: which of these fields it is. */
export const FIELD_OF: Readonly<Record<number, ControlField>> = Object.fromEntries(
  Object.entries(ENCODINGS).map(([name, { encoding }]) => [encoding, name as ControlField]),
);
