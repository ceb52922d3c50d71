import type { KvmContext } from '../context.ts';

/** Linux arch/x86/kvm/trace.h, TRACE_EVENT(kvm_apic): a register was read (0) or written (1). */
export function traceApic(kvm: KvmContext, rw: 0 | 1, reg: number, value: bigint): number {
  return kvm.raise({ kind: 'kvm_apic', rw, reg, val: value });
}

/** A 64-bit redirection entry from its halves. */
export function entryBits(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
