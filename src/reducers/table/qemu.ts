import type { QEMU_EVENTS } from '../../events/qemu.ts';
import * as board from '../../vmm/evolve/board.ts';
import * as devices from '../../vmm/evolve/devices.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

export const QEMU_ROWS: Rows<keyof typeof QEMU_EVENTS> = {
  kvm_ioctl: tells,
  kvm_vm_ioctl: tells,
  kvm_vcpu_ioctl: tells,
  kvm_run_exit: tells,
  kvm_init_vcpu: tells,
  kvm_set_user_memory: changes(['board'], vmm(board.slotSet)),
  kvm_irqchip_commit_routes: tells,
  kvm_irqchip_add_msi_route: tells,
  kvm_irqchip_update_msi_route: tells,
  kvm_irqchip_release_virq: tells,
  kvm_set_ioeventfd_mmio: tells,
  kvm_set_ioeventfd_pio: tells,
  memory_region_ops_read: tells,
  memory_region_ops_write: changes(['devices'], vmm(devices.registerWritten)),
  pci_cfg_read: tells,
  pci_cfg_write: changes(['devices'], vmm(devices.configurationWritten)),
  pci_update_mappings_add: tells,
  pci_update_mappings_del: tells,
};
