/** Requests of a VM's descriptor. Linux kvm_vm_ioctl, kvm_arch_vm_ioctl. */
import { checkExtension, isEnableable } from './capabilities.ts';
import { kvmclockNs, setKvmclock } from '../clock/kvmclock.ts';
import { TSC_KHZ } from '../clock/tsc.ts';
import { registerZone, unregisterZone } from '../io/coalesced.ts';
import { type KvmContext, vmOf } from '../context.ts';
import { EEXIST, EINVAL, ENODEV, ENXIO } from '../../base/errno.ts';
import { assignIoeventfd, assignIrqfd } from '../io/eventfd.ts';
import type { IoctlTable } from './arguments.ts';
import * as io from './ioctls.ts';
import {
  buildRouting,
  getIoapic,
  getPic,
  getPit2,
  IOAPIC,
  sendMsi,
  setIoapic,
  setIrqLine,
  setPic,
  setPit2,
  USERSPACE_SOURCE,
} from '../irqchip/index.ts';
import { clearDirtyLog, getDirtyLog, setMemoryRegion } from '../mmu/memslots.ts';
import { setMsrFilter } from '../vcpu/msr-filter.ts';
import { packRoutes } from './structs.ts';
import { createVcpu } from '../vcpu/start.ts';
import { VCPUS_MAX } from '../../x86/guest.ts';

/** The last address three pages of TSS fit at. */
const LAST_TSS = 0xffffd000;

/** The PICs' numbers and the IOAPIC's. */
const isChip = (id: number): boolean => id >= 0 && id <= IOAPIC;

/** By request number. */
export const VM_IOCTLS: IoctlTable<[kvm: KvmContext]> = {
  [io.KVM_CHECK_EXTENSION]: (_kvm, cap) => checkExtension(cap),
  [io.KVM_CREATE_VCPU]: (kvm, id) => {
    const { vcpus } = kvm.state;
    if (id >>> 0 >= VCPUS_MAX || vcpus.length >= VCPUS_MAX) return -EINVAL;
    return vcpus.some((vcpu) => vcpu.id === id) ? -EEXIST : createVcpu(kvm, id);
  },
  [io.KVM_SET_USER_MEMORY_REGION]: (kvm, region) => setMemoryRegion(kvm, region),
  [io.KVM_GET_DIRTY_LOG]: (kvm, log) => getDirtyLog(kvm, log.slot, log.bitmap),
  [io.KVM_CLEAR_DIRTY_LOG]: (kvm, log) => clearDirtyLog(kvm, log),
  [io.KVM_SET_TSS_ADDR]: (kvm, addr) => {
    if (addr > LAST_TSS) return -EINVAL;
    kvm.raise({ kind: 'ioctl:KVM_SET_TSS_ADDR', addr });
    return 0;
  },
  [io.KVM_SET_IDENTITY_MAP_ADDR]: (kvm, addr) => {
    if (kvm.state.vcpus.length > 0) return -EINVAL;
    kvm.raise({ kind: 'ioctl:KVM_SET_IDENTITY_MAP_ADDR', addr });
    return 0;
  },
  [io.KVM_SET_BOOT_CPU_ID]: (kvm, id) => {
    if (kvm.state.vcpus.length > 0) return -EINVAL;
    kvm.raise({ kind: 'ioctl:KVM_SET_BOOT_CPU_ID', id });
    return 0;
  },
  [io.KVM_CREATE_IRQCHIP]: (kvm) => {
    if (vmOf(kvm).irqchip !== undefined) return -EEXIST;
    if (kvm.state.vcpus.length > 0) return -EINVAL;
    kvm.raise({ kind: 'ioctl:KVM_CREATE_IRQCHIP' });
    return 0;
  },
  [io.KVM_IRQ_LINE]: (kvm, line) => (irqLine(kvm, line) < -1 ? -ENXIO : 0),
  [io.KVM_IRQ_LINE_STATUS]: (kvm, line) => {
    const status = irqLine(kvm, line);
    if (status < -1) return -ENXIO;
    line.status = status;
    return 0;
  },
  [io.KVM_SET_GSI_ROUTING]: (kvm, { entries }) => {
    if (vmOf(kvm).irqchip === undefined || buildRouting(entries) === undefined) return -EINVAL;
    kvm.raise({ kind: 'ioctl:KVM_SET_GSI_ROUTING', entries: packRoutes(entries) });
    return 0;
  },
  [io.KVM_SIGNAL_MSI]: (kvm, { addressLow, data }) =>
    vmOf(kvm).irqchip === undefined ? -EINVAL : sendMsi(kvm, addressLow, data),
  [io.KVM_IRQFD]: assignIrqfd,
  [io.KVM_IOEVENTFD]: assignIoeventfd,
  [io.KVM_GET_IRQCHIP]: (kvm, chip) => {
    const { irqchip } = vmOf(kvm);
    if (irqchip === undefined) return -ENXIO;
    if (!isChip(chip.chipId)) return -EINVAL;
    chip.state = chip.chipId === IOAPIC ? getIoapic(irqchip) : getPic(irqchip, chip.chipId);
    return 0;
  },
  [io.KVM_SET_IRQCHIP]: (kvm, chip) => {
    if (vmOf(kvm).irqchip === undefined) return -ENXIO;
    if (!isChip(chip.chipId)) return -EINVAL;
    if (chip.chipId === IOAPIC) setIoapic(kvm, chip.state as ReturnType<typeof getIoapic>);
    else setPic(kvm, chip.chipId, chip.state as ReturnType<typeof getPic>);
    return 0;
  },
  [io.KVM_CREATE_PIT2]: (kvm, { flags }) => {
    const { irqchip } = vmOf(kvm);
    if (irqchip === undefined) return -ENXIO;
    if (irqchip.pit !== undefined) return -EEXIST;
    kvm.raise({ kind: 'ioctl:KVM_CREATE_PIT2', flags, ns: kvm.now() });
    return 0;
  },
  [io.KVM_GET_PIT2]: (kvm, out) => {
    const pit = vmOf(kvm).irqchip?.pit;
    if (pit === undefined) return -ENXIO;
    Object.assign(out, getPit2(pit));
    return 0;
  },
  [io.KVM_SET_PIT2]: (kvm, registers) => {
    if (vmOf(kvm).irqchip?.pit === undefined) return -ENXIO;
    setPit2(kvm, registers as ReturnType<typeof getPit2>);
    return 0;
  },
  [io.KVM_REINJECT_CONTROL]: (kvm, { pitReinject }) => {
    if (vmOf(kvm).irqchip?.pit === undefined) return -ENXIO;
    kvm.raise({ kind: 'ioctl:KVM_REINJECT_CONTROL', pit_reinject: pitReinject });
    return 0;
  },
  [io.KVM_GET_CLOCK]: (kvm, clock) => {
    clock.clock = BigInt(kvmclockNs(kvm));
    clock.flags = 2;
    return 0;
  },
  [io.KVM_SET_CLOCK]: (kvm, { clock }) => {
    setKvmclock(kvm, clock);
    return 0;
  },
  [io.KVM_SET_TSC_KHZ]: (_kvm, khz) => (khz === 0 || khz === TSC_KHZ ? 0 : -EINVAL),
  [io.KVM_GET_TSC_KHZ]: () => TSC_KHZ,
  [io.KVM_ENABLE_CAP]: (kvm, { cap, args }) => {
    const arg = Number(args[0] ?? 0n);
    if (!isEnableable(cap, arg)) return -EINVAL;
    kvm.raise({ kind: 'ioctl:KVM_ENABLE_CAP', cap, arg });
    return 0;
  },
  [io.KVM_X86_SET_MSR_FILTER]: setMsrFilter,
  [io.KVM_REGISTER_COALESCED_MMIO]: registerZone,
  [io.KVM_UNREGISTER_COALESCED_MMIO]: unregisterZone,
  [io.KVM_CREATE_DEVICE]: () => -ENODEV,
  [io.KVM_HAS_DEVICE_ATTR]: () => -ENXIO,
  [io.KVM_GET_DEVICE_ATTR]: () => -ENXIO,
  [io.KVM_SET_DEVICE_ATTR]: () => -ENXIO,
};

/** kvm_vm_ioctl_irq_line; below -1 there is no controller. */
function irqLine(kvm: KvmContext, line: io.IrqLevel): number {
  if (vmOf(kvm).irqchip === undefined) return -ENXIO;
  return setIrqLine(kvm, line.irq, USERSPACE_SOURCE, line.level !== 0, true);
}
