/** Requests of a VM's descriptor. Linux kvm_vm_ioctl, kvm_arch_vm_ioctl. */
import { isEnableable, checkExtension } from './capabilities.ts';
import { kvmclockNs, setKvmclock } from './clock/kvmclock.ts';
import { TSC_KHZ } from './clock/tsc.ts';
import { type KvmContext, REQ_EVENT, requestAll, vmOf } from './context.ts';
import { EEXIST, EINVAL, ENODEV, ENXIO } from './errno.ts';
import { assignIoeventfd, assignIrqfd } from './eventfd.ts';
import { registerZone, unregisterZone } from './coalesced.ts';
import { openFile } from './files.ts';
import * as io from './ioctls.ts';
import {
  createIrqchip,
  createKvmPit,
  getIoapic,
  getPic,
  getPit2,
  type GsiRoutingEntry,
  sendMsi,
  setGsiRouting,
  setIoapic,
  setIrqLine,
  setPic,
  setPit2,
  setPitReinject,
  USERSPACE_SOURCE,
} from './irqchip/index.ts';
import { clearDirtyLog, getDirtyLog, setMemoryRegion } from './mmu/memslots.ts';
import { setMsrFilter } from './msr-filter.ts';
import { createVcpu } from './vcpu/create.ts';

/** vCPUs a VM may have. */
const MAX_VCPUS = 1024;
const IOAPIC_CHIP = 2;
const SPEAKER = 1;

type VmIoctl = (kvm: KvmContext, arg: never) => number;

interface IrqchipArgument {
  chipId: number;
  state?: unknown;
}

/** By request number. */
export const VM_IOCTLS: Readonly<Record<number, VmIoctl>> = {
  [io.KVM_CHECK_EXTENSION]: (_kvm, cap: number) => checkExtension(cap),
  [io.KVM_CREATE_VCPU]: (kvm, id: number) => {
    const { vcpus } = kvm.state;
    if (vcpus.length >= MAX_VCPUS) return -EINVAL;
    if (vcpus.some((vcpu) => vcpu.id === id)) return -EEXIST;
    const fd = openFile(kvm, { kind: 'vcpu', vcpu: vcpus.length });
    createVcpu(kvm, id, fd);
    return fd;
  },
  [io.KVM_SET_USER_MEMORY_REGION]: (kvm, region: io.UserMemoryRegion) => setMemoryRegion(kvm, region),
  [io.KVM_GET_DIRTY_LOG]: (kvm, log: io.DirtyLog) => getDirtyLog(kvm, log.slot, log.bitmap),
  [io.KVM_CLEAR_DIRTY_LOG]: (kvm, log: io.DirtyLog) => clearDirtyLog(kvm, log),
  [io.KVM_SET_TSS_ADDR]: (kvm, addr: number) => {
    if (addr > 0xffffd000) return -EINVAL;
    vmOf(kvm).tssAddr = addr;
    return 0;
  },
  [io.KVM_SET_IDENTITY_MAP_ADDR]: (kvm, addr: number) => {
    if (kvm.state.vcpus.length > 0) return -EINVAL;
    vmOf(kvm).identityMapAddr = addr;
    return 0;
  },
  [io.KVM_SET_BOOT_CPU_ID]: (kvm, id: number) => {
    if (kvm.state.vcpus.length > 0) return -EINVAL;
    vmOf(kvm).bootCpu = id;
    return 0;
  },
  [io.KVM_CREATE_IRQCHIP]: (kvm) => {
    const vm = vmOf(kvm);
    if (vm.irqchip !== undefined) return -EEXIST;
    if (kvm.state.vcpus.length > 0) return -EINVAL;
    vm.irqchip = createIrqchip();
    return 0;
  },
  [io.KVM_IRQ_LINE]: (kvm, line: io.IrqLevel) => (irqLine(kvm, line) < -1 ? -ENXIO : 0),
  [io.KVM_IRQ_LINE_STATUS]: (kvm, line: io.IrqLevel) => {
    const status = irqLine(kvm, line);
    if (status < -1) return -ENXIO;
    line.status = status;
    return 0;
  },
  [io.KVM_SET_GSI_ROUTING]: (kvm, table: { entries: GsiRoutingEntry[] }) => {
    const { irqchip } = vmOf(kvm);
    return irqchip !== undefined && setGsiRouting(irqchip, table.entries) ? 0 : -EINVAL;
  },
  [io.KVM_SIGNAL_MSI]: (kvm, msi: io.Msi) => {
    const { irqchip } = vmOf(kvm);
    return irqchip === undefined ? -EINVAL : sendMsi(irqchip, msi.addressLow, msi.data, kvm.irq);
  },
  [io.KVM_IRQFD]: assignIrqfd,
  [io.KVM_IOEVENTFD]: assignIoeventfd,
  [io.KVM_GET_IRQCHIP]: (kvm, chip: IrqchipArgument) => {
    const { irqchip } = vmOf(kvm);
    if (irqchip === undefined) return -ENXIO;
    if (chip.chipId > IOAPIC_CHIP) return -EINVAL;
    chip.state = chip.chipId === IOAPIC_CHIP ? getIoapic(irqchip) : getPic(irqchip, chip.chipId);
    return 0;
  },
  [io.KVM_SET_IRQCHIP]: (kvm, chip: IrqchipArgument) => {
    const { irqchip } = vmOf(kvm);
    if (irqchip === undefined) return -ENXIO;
    if (chip.chipId > IOAPIC_CHIP) return -EINVAL;
    if (chip.chipId === IOAPIC_CHIP) setIoapic(irqchip, chip.state as ReturnType<typeof getIoapic>, kvm.irq);
    else setPic(irqchip, chip.chipId, chip.state as ReturnType<typeof getPic>, kvm.irq);
    requestAll(kvm, REQ_EVENT);
    return 0;
  },
  [io.KVM_CREATE_PIT2]: (kvm, config: { flags: number }) => {
    const { irqchip } = vmOf(kvm);
    if (irqchip === undefined) return -ENXIO;
    if (irqchip.pit !== undefined) return -EEXIST;
    createKvmPit(irqchip, (config.flags & SPEAKER) !== 0, kvm.irq);
    return 0;
  },
  [io.KVM_GET_PIT2]: (kvm, out: ReturnType<typeof getPit2>) => {
    const pit = vmOf(kvm).irqchip?.pit;
    if (pit === undefined) return -ENXIO;
    Object.assign(out, getPit2(pit));
    return 0;
  },
  [io.KVM_SET_PIT2]: (kvm, blob: ReturnType<typeof getPit2>) => {
    const pit = vmOf(kvm).irqchip?.pit;
    if (pit === undefined) return -ENXIO;
    setPit2(pit, blob, kvm.host.now());
    return 0;
  },
  [io.KVM_REINJECT_CONTROL]: (kvm, control: { pitReinject: boolean }) => {
    const pit = vmOf(kvm).irqchip?.pit;
    if (pit === undefined) return -ENXIO;
    setPitReinject(pit, control.pitReinject);
    return 0;
  },
  [io.KVM_GET_CLOCK]: (kvm, clock: io.ClockData) => {
    clock.clock = BigInt(kvmclockNs(kvm));
    clock.flags = 2;
    return 0;
  },
  [io.KVM_SET_CLOCK]: (kvm, clock: io.ClockData) => {
    setKvmclock(kvm, clock.clock);
    return 0;
  },
  [io.KVM_SET_TSC_KHZ]: (_kvm, khz: number) => (khz === 0 || khz === TSC_KHZ ? 0 : -EINVAL),
  [io.KVM_GET_TSC_KHZ]: () => TSC_KHZ,
  [io.KVM_ENABLE_CAP]: (kvm, cap: io.EnableCap) => {
    const first = Number(cap.args[0] ?? 0n);
    if (!isEnableable(cap.cap, first)) return -EINVAL;
    vmOf(kvm).caps[cap.cap] = first;
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
  const { irqchip } = vmOf(kvm);
  if (irqchip === undefined) return -ENXIO;
  return setIrqLine(irqchip, line.irq, USERSPACE_SOURCE, line.level !== 0, kvm.irq, true);
}
