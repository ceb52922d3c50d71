/** Bits of the VMCS, as the manual names them: controls, and the formats of its information fields. */

/** Pin-based VM-execution controls. SDM Vol. 3, Table 25-5. */
export const PIN = {
  EXTERNAL_INTERRUPT_EXITING: 1 << 0,
  NMI_EXITING: 1 << 3,
  VIRTUAL_NMIS: 1 << 5,
  PREEMPTION_TIMER: 1 << 6,
  POSTED_INTERRUPTS: 1 << 7,
} as const;

/** Primary processor-based VM-execution controls. SDM Vol. 3, Table 25-6. */
export const PRIMARY = {
  INTERRUPT_WINDOW_EXITING: 1 << 2,
  TSC_OFFSETTING: 1 << 3,
  HLT_EXITING: 1 << 7,
  INVLPG_EXITING: 1 << 9,
  MWAIT_EXITING: 1 << 10,
  RDPMC_EXITING: 1 << 11,
  RDTSC_EXITING: 1 << 12,
  CR3_LOAD_EXITING: 1 << 15,
  CR3_STORE_EXITING: 1 << 16,
  TERTIARY_CONTROLS: 1 << 17,
  CR8_LOAD_EXITING: 1 << 19,
  CR8_STORE_EXITING: 1 << 20,
  TPR_SHADOW: 1 << 21,
  NMI_WINDOW_EXITING: 1 << 22,
  MOV_DR_EXITING: 1 << 23,
  UNCONDITIONAL_IO_EXITING: 1 << 24,
  IO_BITMAPS: 1 << 25,
  MONITOR_TRAP_FLAG: 1 << 27,
  MSR_BITMAPS: 1 << 28,
  MONITOR_EXITING: 1 << 29,
  PAUSE_EXITING: 1 << 30,
  SECONDARY_CONTROLS: 0x8000_0000,
} as const;

/** Secondary processor-based VM-execution controls. SDM Vol. 3, Table 25-7. */
export const SECONDARY = {
  VIRTUALIZE_APIC_ACCESSES: 1 << 0,
  EPT: 1 << 1,
  DESCRIPTOR_TABLE_EXITING: 1 << 2,
  RDTSCP: 1 << 3,
  VIRTUALIZE_X2APIC_MODE: 1 << 4,
  VPID: 1 << 5,
  WBINVD_EXITING: 1 << 6,
  UNRESTRICTED_GUEST: 1 << 7,
  APIC_REGISTER_VIRTUALIZATION: 1 << 8,
  VIRTUAL_INTERRUPT_DELIVERY: 1 << 9,
  PAUSE_LOOP_EXITING: 1 << 10,
  RDRAND_EXITING: 1 << 11,
  INVPCID: 1 << 12,
  VM_FUNCTIONS: 1 << 13,
  VMCS_SHADOWING: 1 << 14,
  ENCLS_EXITING: 1 << 15,
  RDSEED_EXITING: 1 << 16,
  PML: 1 << 17,
  EPT_VIOLATION_VE: 1 << 18,
  XSAVES: 1 << 20,
  TSC_SCALING: 1 << 25,
  USER_WAIT_AND_PAUSE: 1 << 26,
  PCONFIG: 1 << 27,
  ENCLV_EXITING: 1 << 28,
  BUS_LOCK_DETECTION: 1 << 30,
  NOTIFY_EXITING: 0x8000_0000,
} as const;

/** Primary VM-exit controls. SDM Vol. 3, Table 25-13. */
export const VM_EXIT = {
  SAVE_DEBUG_CONTROLS: 1 << 2,
  HOST_ADDRESS_SPACE_SIZE: 1 << 9,
  LOAD_PERF_GLOBAL_CTRL: 1 << 12,
  ACKNOWLEDGE_INTERRUPT: 1 << 15,
  SAVE_PAT: 1 << 18,
  LOAD_PAT: 1 << 19,
  SAVE_EFER: 1 << 20,
  LOAD_EFER: 1 << 21,
  SAVE_PREEMPTION_TIMER: 1 << 22,
  CLEAR_BNDCFGS: 1 << 23,
  CONCEAL_FROM_PT: 1 << 24,
} as const;

/** VM-entry controls. SDM Vol. 3, Table 25-15. */
export const VM_ENTRY = {
  LOAD_DEBUG_CONTROLS: 1 << 2,
  IA32E_MODE_GUEST: 1 << 9,
  ENTRY_TO_SMM: 1 << 10,
  DEACTIVATE_DUAL_MONITOR: 1 << 11,
  LOAD_PERF_GLOBAL_CTRL: 1 << 13,
  LOAD_PAT: 1 << 14,
  LOAD_EFER: 1 << 15,
  LOAD_BNDCFGS: 1 << 16,
  CONCEAL_FROM_PT: 1 << 17,
} as const;

/** Bits of these controls that are reserved and must be set. SDM Vol. 3, A.3 to A.5 (IA32_VMX_TRUE_*_CTLS). */
export const ALWAYS_ONE = { PIN: 0x16, PRIMARY: 0x0400_6172, EXIT: 0x3_6dfb, ENTRY: 0x11fb } as const;

/** EPT pointer: memory type in bits 2:0, length of a walk less one in bits 5:3. SDM Vol. 3, Table 25-9. */
export const EPTP = {
  MEMORY_TYPE: 7,
  WRITE_BACK: 6,
  WALK_LENGTH: 7 << 3,
  FOUR_LEVELS: 3 << 3,
  ACCESSED_DIRTY: 1 << 6,
} as const;

/** Interruption information, of entry, exit and IDT vectoring alike. SDM Vol. 3, Tables 25-17, 25-19 and 25-20. */
export const INTERRUPTION = {
  VECTOR: 0xff,
  TYPE: 7 << 8,
  EXTERNAL: 0 << 8,
  NMI: 2 << 8,
  HARDWARE_EXCEPTION: 3 << 8,
  SOFTWARE_INTERRUPT: 4 << 8,
  PRIVILEGED_EXCEPTION: 5 << 8,
  SOFTWARE_EXCEPTION: 6 << 8,
  ERROR_CODE: 1 << 11,
  NMI_UNBLOCKED_BY_IRET: 1 << 12,
  VALID: 0x8000_0000,
} as const;

/** VM-exit reason: the basic reason in bits 15:0, and in bit 31 whether it was the entry that failed. */
export const EXIT_REASON = { BASIC: 0xffff, ENTRY_FAILED: 0x8000_0000 } as const;

/** VM-instruction errors of an entry that fails before the guest is looked at. SDM Vol. 3, 31.4. */
export const VM_INSTRUCTION_ERROR = { INVALID_CONTROLS: 7, INVALID_HOST_STATE: 8 } as const;
