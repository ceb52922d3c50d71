import type { VMCS_FIELDS } from '../../x86/vmcs-fields.ts';

/**
 * Host-state area: where a VM exit lands. Constant while the module is loaded, a Linux host's as
 * vmx_set_constant_host_state leaves it. SDM Vol. 3, 25.5.
 */
export const HOST_STATE: Readonly<Record<keyof (typeof VMCS_FIELDS)['host'], bigint>> = {
  HOST_CR0: 0x80050033n,
  HOST_CR3: 0x100000000n,
  HOST_CR4: 0x3726e0n,
  HOST_IA32_EFER: 0xd01n,
  HOST_IA32_PAT: 0x0407050600070106n,
  HOST_CS_SELECTOR: 0x10n,
  HOST_SS_SELECTOR: 0x18n,
  HOST_DS_SELECTOR: 0n,
  HOST_ES_SELECTOR: 0n,
  HOST_FS_SELECTOR: 0n,
  HOST_GS_SELECTOR: 0n,
  HOST_TR_SELECTOR: 0x40n,
  HOST_FS_BASE: 0n,
  HOST_GS_BASE: 0xffff888000000000n,
  HOST_TR_BASE: 0xfffffe0000003000n,
  HOST_GDTR_BASE: 0xfffffe0000001000n,
  HOST_IDTR_BASE: 0xfffffe0000000000n,
  HOST_IA32_SYSENTER_CS: 0n,
  HOST_IA32_SYSENTER_ESP: 0n,
  HOST_IA32_SYSENTER_EIP: 0n,
  HOST_RSP: 0xffffc90000003e00n,
  HOST_RIP: 0xffffffffa0001000n,
};
