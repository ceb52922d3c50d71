import { vcpuSource } from '../../events/stamped.ts';
import { KVM_GET_LAPIC, KVM_NMI } from '../../kvm/ioctl/ioctls.ts';
import type { Machine } from '../board/machine.ts';
import { vcpuIoctl } from './traced-kvm.ts';

const LVT_LINT1 = 0x360;
const LVT_MODE = 0x10700;
/** Not masked, delivery mode NMI. SDM Vol. 3, 11.5.1. */
const PASSES_NMI = 0x400;

/** A pulse on the NMI pin of every processor, which is its LAPIC's LINT1. QEMU's kvm_apic_external_nmi. */
export function pulseNmi(machine: Machine): void {
  machine.fds.vcpus.forEach((_fd, vcpu) => {
    const thread = machine.from(machine.origin.by(vcpuSource(vcpu)));
    const page = { regs: new Uint8Array(0x400) };
    vcpuIoctl(thread, vcpu, KVM_GET_LAPIC, page);
    const { buffer, byteOffset } = page.regs;
    const lint1 = new DataView(buffer, byteOffset).getUint32(LVT_LINT1, true);
    if ((lint1 & LVT_MODE) === PASSES_NMI) vcpuIoctl(thread, vcpu, KVM_NMI);
  });
}
