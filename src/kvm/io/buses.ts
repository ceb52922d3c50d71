/** KVM_PIO_BUS and KVM_MMIO_BUS: what the kernel answers without user space. Linux virt/kvm/kvm_main.c. */
import type { Gpa } from '../../base/units.ts';
import { coalescedWrite, isCoalesced } from './coalesced.ts';
import { type KvmContext, vmOf } from '../context.ts';
import { ioeventfdWrite } from './eventfd.ts';
import {
  IOAPIC_BASE,
  IOAPIC_LENGTH,
  ioapicRead,
  ioapicWrite,
  irqchipPortRead,
  irqchipPortWrite,
  lapicMmioBase,
  lapicMmioRead,
  lapicMmioWrite,
} from '../irqchip/index.ts';
import type { VcpuState } from '../state.ts';

/** A little-endian number: of the first `length` bytes, 6 at most. */
export function numberOf(bytes: ArrayLike<number>, length = bytes.length): number {
  let value = 0;
  for (let i = Math.min(length, bytes.length, 6) - 1; i >= 0; i -= 1) value = value * 256 + bytes[i]!;
  return value;
}

/** A little-endian number of up to 8 bytes. */
export function bigintOf(bytes: ArrayLike<number>): bigint {
  let value = 0n;
  for (let i = Math.min(bytes.length, 8) - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

/** The low `size` bytes of a value, little-endian. */
export function bytesOf(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 1) bytes[at] = (value >>> (8 * at)) & 0xff;
  return bytes;
}

/** IN from a port of the kernel; undefined: user space must answer. */
export function portRead(kvm: KvmContext, port: number, size: number): number | undefined {
  return vmOf(kvm).irqchip === undefined ? undefined : irqchipPortRead(kvm, port, size);
}

/** OUT to a port of the kernel. False: user space must act. */
export function portWrite(kvm: KvmContext, port: number, size: number, value: number): boolean {
  const { irqchip, ioeventfds } = vmOf(kvm);
  if (irqchip !== undefined && irqchipPortWrite(kvm, port, size, value)) return true;
  if (ioeventfds.pio[port] !== undefined && ioeventfdWrite(kvm, true, port, size, BigInt(value))) return true;
  return isCoalesced(kvm, true, port, size) && coalescedWrite(kvm, true, port, bytesOf(value, size));
}

/** A read of the LAPIC page or the IOAPIC; undefined: user space must answer. */
export function mmioRead(kvm: KvmContext, vcpu: VcpuState, gpa: Gpa, length: number): Uint8Array | undefined {
  const { irqchip } = vmOf(kvm);
  if (irqchip === undefined) return undefined;
  const base = lapicMmioBase(irqchip.lapics[vcpu.index]!);
  if (gpa >= base && gpa < base + 4096) {
    return littleEndian(lapicMmioRead(kvm, vcpu.index, gpa - base, length), length);
  }
  if (gpa >= IOAPIC_BASE && gpa < IOAPIC_BASE + IOAPIC_LENGTH) {
    return littleEndian(ioapicRead(irqchip.ioapic, gpa - IOAPIC_BASE), length);
  }
  return undefined;
}

/** A write to the LAPIC page, the IOAPIC or an ioeventfd. False: user space must act. */
export function mmioWrite(kvm: KvmContext, vcpu: VcpuState, gpa: Gpa, bytes: Uint8Array): boolean {
  const { irqchip, ioeventfds } = vmOf(kvm);
  if (irqchip !== undefined) {
    const base = lapicMmioBase(irqchip.lapics[vcpu.index]!);
    if (gpa >= base && gpa < base + 4096) {
      lapicMmioWrite(kvm, vcpu.index, gpa - base, bytes.length, numberOf(bytes));
      return true;
    }
    if (gpa >= IOAPIC_BASE && gpa < IOAPIC_BASE + IOAPIC_LENGTH) {
      ioapicWrite(kvm, gpa - IOAPIC_BASE, numberOf(bytes));
      return true;
    }
  }
  if (ioeventfds.mmio[gpa] !== undefined && ioeventfdWrite(kvm, false, gpa, bytes.length, bigintOf(bytes))) return true;
  return isCoalesced(kvm, false, gpa, bytes.length) && coalescedWrite(kvm, false, gpa, bytes);
}

/** A value's bytes; beyond four they are zero, and -1 gives ones throughout. */
function littleEndian(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (value === -1) return bytes.fill(0xff);
  for (let i = 0; i < Math.min(length, 4); i += 1) bytes[i] = (value >>> (8 * i)) & 0xff;
  return bytes;
}
