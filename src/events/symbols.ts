/** Names that Linux's TP_printk formats print for numbers (`__print_symbolic`, `__print_flags`). */

/** KVM_EXIT_* reasons of `kvm_run` by number. Linux include/uapi/linux/kvm.h. */
export const KVM_EXIT_REASONS: Readonly<Record<number, string>> = {
  0: 'KVM_EXIT_UNKNOWN',
  1: 'KVM_EXIT_EXCEPTION',
  2: 'KVM_EXIT_IO',
  3: 'KVM_EXIT_HYPERCALL',
  4: 'KVM_EXIT_DEBUG',
  5: 'KVM_EXIT_HLT',
  6: 'KVM_EXIT_MMIO',
  7: 'KVM_EXIT_IRQ_WINDOW_OPEN',
  8: 'KVM_EXIT_SHUTDOWN',
  9: 'KVM_EXIT_FAIL_ENTRY',
  10: 'KVM_EXIT_INTR',
  11: 'KVM_EXIT_SET_TPR',
  12: 'KVM_EXIT_TPR_ACCESS',
  16: 'KVM_EXIT_NMI',
  17: 'KVM_EXIT_INTERNAL_ERROR',
  18: 'KVM_EXIT_OSI',
  24: 'KVM_EXIT_SYSTEM_EVENT',
  26: 'KVM_EXIT_IOAPIC_EOI',
  27: 'KVM_EXIT_HYPERV',
};

/** Exceptions by vector. SDM Vol. 3, Table 6-1. */
export const EXCEPTIONS: Readonly<Record<number, string>> = {
  0: '#DE',
  1: '#DB',
  3: '#BP',
  4: '#OF',
  5: '#BR',
  6: '#UD',
  7: '#NM',
  8: '#DF',
  10: '#TS',
  11: '#NP',
  12: '#SS',
  13: '#GP',
  14: '#PF',
  16: '#MF',
  17: '#AC',
  18: '#MC',
};

/** Local APIC registers by offset in its page. SDM Vol. 3, Table 11-1. */
export const APIC_REGISTERS: Readonly<Record<number, string>> = Object.fromEntries([
  [0x20, 'APIC_ID'],
  [0x30, 'APIC_LVR'],
  [0x80, 'APIC_TASKPRI'],
  [0x90, 'APIC_ARBPRI'],
  [0xa0, 'APIC_PROCPRI'],
  [0xb0, 'APIC_EOI'],
  [0xc0, 'APIC_RRR'],
  [0xd0, 'APIC_LDR'],
  [0xe0, 'APIC_DFR'],
  [0xf0, 'APIC_SPIV'],
  [0x100, 'APIC_ISR'],
  [0x180, 'APIC_TMR'],
  [0x200, 'APIC_IRR'],
  [0x280, 'APIC_ESR'],
  [0x300, 'APIC_ICR'],
  [0x310, 'APIC_ICR2'],
  [0x320, 'APIC_LVTT'],
  [0x330, 'APIC_LVTTHMR'],
  [0x340, 'APIC_LVTPC'],
  [0x350, 'APIC_LVT0'],
  [0x360, 'APIC_LVT1'],
  [0x370, 'APIC_LVTERR'],
  [0x380, 'APIC_TMICT'],
  [0x390, 'APIC_TMCCT'],
  [0x3e0, 'APIC_TDCR'],
  [0x3f0, 'APIC_SELF_IPI'],
  [0x400, 'APIC_EFEAT'],
  [0x410, 'APIC_ECTRL'],
]);

/** Interrupt delivery modes. SDM Vol. 3, 11.6.1. */
export const DELIVERY_MODES: Readonly<Record<number, string>> = {
  0: 'Fixed',
  1: 'LowPrio',
  2: 'SMI',
  3: 'Res3',
  4: 'NMI',
  5: 'INIT',
  6: 'SIPI',
  7: 'ExtINT',
};

/** Destination shorthands of the ICR. SDM Vol. 3, 11.6.1. */
export const DESTINATION_SHORTHANDS: Readonly<Record<number, string>> = {
  0: 'dst',
  1: 'self',
  2: 'all',
  3: 'all-but-self',
};

/** KVM_IRQCHIP_* numbers. */
export const IRQCHIPS: Readonly<Record<number, string>> = { 0: 'PIC master', 1: 'PIC slave', 2: 'IOAPIC' };

/** KVM_MP_STATE_* by number. Linux include/uapi/linux/kvm.h. */
export const MP_STATES: Readonly<Record<number, string>> = {
  0: 'RUNNABLE',
  1: 'UNINITIALIZED',
  2: 'INIT_RECEIVED',
  3: 'HALTED',
  4: 'SIPI_RECEIVED',
};

/** Host clock sources of kvmclock's master clock. */
export const HOST_CLOCKS: Readonly<Record<number, string>> = { 0: 'none', 1: 'tsc', 2: 'hvclock' };

/** Decoding modes printed by kvm_emulate_insn: b0 CR0.PE, b1 EFLAGS.VM, b2 CS.D, b3 CS.L. */
export const DECODE_MODES: Readonly<Record<number, string>> = {
  0: 'real',
  1: 'prot16',
  3: 'vm16',
  5: 'prot32',
  9: 'prot64',
};

const PAGE_FAULT_BITS: readonly (readonly [number, string])[] = [
  [1, 'P'],
  [2, 'W'],
  [4, 'U'],
  [8, 'RSVD'],
  [16, 'F'],
];

/** The name of a number, or the number in hexadecimal, as `__print_symbolic` does. */
export function symbol(names: Readonly<Record<number, string>>, value: number): string {
  return names[value] ?? `0x${value.toString(16)}`;
}

/** Page-fault error code bits joined by `|`, as `__print_flags` does. */
export function pageFaultBits(errorCode: number): string {
  const named = PAGE_FAULT_BITS.filter(([bit]) => (errorCode & bit) !== 0).map(([, name]) => name);
  const rest = errorCode - (errorCode & 31);
  return (rest === 0 ? named : [...named, `0x${rest.toString(16)}`]).join('|');
}

/** `%0<digits>x` of printf. */
export function padded(value: number | bigint, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Bytes as two-digit hexadecimal numbers with blanks between, as `%*ph` does. */
export function hexBytes(bytes: Uint8Array, length: number = bytes.length): string {
  let text = '';
  for (let i = 0; i < length; i += 1) text += `${i === 0 ? '' : ' '}${padded(bytes[i]!, 2)}`;
  return text;
}
