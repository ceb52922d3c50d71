import { fact, hex } from './schema.ts';

/**
 * Requests of KVM's ioctl surface that change what KVM remembers, each with its argument, raised once it has been
 * checked. Structures that are arrays travel as Linux lays them out (include/uapi/linux/kvm.h, asm/kvm.h; see
 * kvm/ioctl/structs.ts). Fields without a counterpart in the structure hold what KVM computed: descriptors, times.
 * KVM_IRQ_LINE is told by kvm_set_irq, KVM_SIGNAL_MSI by kvm_msi_set_irq.
 */
export const IOCTL_EVENTS = {
  'ioctl:KVM_CREATE_VM': fact({ fd: 'i', ns: 'u', tsc: 'u64' }, (e) => `fd ${e.fd} at ${e.ns} ns`),
  'ioctl:KVM_CREATE_VCPU': fact({ vcpu_id: 'u', id: 'u', fd: 'i' }, (e) => `vcpu ${e.vcpu_id} id ${e.id} fd ${e.fd}`),
  'ioctl:KVM_SET_USER_MEMORY_REGION': fact(
    { slot: 'u', flags: 'u', guest_phys_addr: 'u', memory_size: 'u', userspace_addr: 'u' },
    (e) =>
      `slot ${e.slot} flags 0x${hex(e.flags)} gpa 0x${hex(e.guest_phys_addr)} size 0x${hex(e.memory_size)} ` +
      `hva 0x${hex(e.userspace_addr)}`,
  ),
  'ioctl:KVM_GET_DIRTY_LOG': fact({ slot: 'u' }, (e) => `slot ${e.slot}`),
  'ioctl:KVM_CLEAR_DIRTY_LOG': fact(
    { slot: 'u', first_page: 'u', num_pages: 'u', bitmap: 'bytes' },
    (e) => `slot ${e.slot} pages ${e.first_page} to ${e.first_page + e.num_pages}`,
  ),
  'ioctl:KVM_SET_TSS_ADDR': fact({ addr: 'u' }, (e) => `0x${hex(e.addr)}`),
  'ioctl:KVM_SET_IDENTITY_MAP_ADDR': fact({ addr: 'u' }, (e) => `0x${hex(e.addr)}`),
  'ioctl:KVM_SET_BOOT_CPU_ID': fact({ id: 'u' }, (e) => `id ${e.id}`),
  'ioctl:KVM_CREATE_IRQCHIP': fact({}, () => ''),
  'ioctl:KVM_SET_IRQCHIP': fact({ chip_id: 'u', state: 'bytes' }, (e) => `chip ${e.chip_id}`),
  'ioctl:KVM_SET_GSI_ROUTING': fact({ entries: 'bytes' }, (e) => `${e.entries.length / 48} entries`),
  'ioctl:KVM_IRQFD': fact(
    { fd: 'i', gsi: 'u', flags: 'u', resamplefd: 'i' },
    (e) => `fd ${e.fd} gsi ${e.gsi} flags 0x${hex(e.flags)} resamplefd ${e.resamplefd}`,
  ),
  'ioctl:KVM_IOEVENTFD': fact(
    { fd: 'i', addr: 'u', len: 'u', datamatch: 'u64', flags: 'u' },
    (e) => `fd ${e.fd} addr 0x${hex(e.addr)} len ${e.len} datamatch 0x${hex(e.datamatch)} flags 0x${hex(e.flags)}`,
  ),
  'ioctl:KVM_REGISTER_COALESCED_MMIO': fact(
    { addr: 'u', size: 'u', pio: 'bool' },
    (e) => `addr 0x${hex(e.addr)} size ${e.size}${e.pio ? ' ports' : ''}`,
  ),
  'ioctl:KVM_UNREGISTER_COALESCED_MMIO': fact(
    { addr: 'u', size: 'u', pio: 'bool' },
    (e) => `addr 0x${hex(e.addr)} size ${e.size}${e.pio ? ' ports' : ''}`,
  ),
  'ioctl:KVM_CREATE_PIT2': fact({ flags: 'u', ns: 'u' }, (e) => `flags ${e.flags} at ${e.ns} ns`),
  'ioctl:KVM_SET_PIT2': fact({ state: 'bytes', ns: 'u' }, (e) => `${e.state.length} bytes at ${e.ns} ns`),
  'ioctl:KVM_REINJECT_CONTROL': fact({ pit_reinject: 'bool' }, (e) => `pit_reinject ${Number(e.pit_reinject)}`),
  'ioctl:KVM_SET_CLOCK': fact({ clock: 'u64', offset: 'i' }, (e) => `clock ${e.clock} ns, offset ${e.offset} ns`),
  'ioctl:KVM_ENABLE_CAP': fact({ cap: 'u', arg: 'u' }, (e) => `cap ${e.cap} arg 0x${hex(e.arg)}`),
  'ioctl:KVM_X86_SET_MSR_FILTER': fact({ flags: 'u', ranges: 'bytes' }, (e) => `flags ${e.flags}`),

  /** User space enters KVM_RUN; of the kvm_run page what it may have written. data: the answer to a read. */
  'ioctl:KVM_RUN': fact(
    {
      vcpu_id: 'u',
      immediate_exit: 'bool',
      request_interrupt_window: 'bool',
      cr8: 'u',
      data: 'bytes',
      msr_data: 'u64',
      msr_error: 'u',
    },
    (e) => `vcpu ${e.vcpu_id}${e.immediate_exit ? ' immediate exit' : ''} ${e.data.length} bytes answered`,
  ),
  'ioctl:KVM_SET_REGS': fact({ vcpu_id: 'u', regs: 'bytes' }, (e) => `vcpu ${e.vcpu_id}`),
  'ioctl:KVM_SET_SREGS2': fact({ vcpu_id: 'u', sregs: 'bytes' }, (e) => `vcpu ${e.vcpu_id}`),
  'ioctl:KVM_SET_MSRS': fact({ vcpu_id: 'u', entries: 'bytes' }, (e) => `vcpu ${e.vcpu_id} ${e.entries.length / 16}`),
  'ioctl:KVM_SET_CPUID2': fact(
    { vcpu_id: 'u', entries: 'bytes', x2apic: 'bool', tsc_deadline: 'bool', physical_bits: 'u' },
    (e) => `vcpu ${e.vcpu_id} ${e.entries.length / 40} entries`,
  ),
  'ioctl:KVM_SET_LAPIC': fact({ vcpu_id: 'u', regs: 'bytes' }, (e) => `vcpu ${e.vcpu_id}`),
  'ioctl:KVM_SET_MP_STATE': fact({ vcpu_id: 'u', mp_state: 'u' }, (e) => `vcpu ${e.vcpu_id} ${e.mp_state}`),
  'ioctl:KVM_NMI': fact({ vcpu_id: 'u' }, (e) => `vcpu ${e.vcpu_id}`),
  'ioctl:KVM_INTERRUPT': fact({ vcpu_id: 'u', irq: 'u' }, (e) => `vcpu ${e.vcpu_id} irq ${e.irq}`),
  'ioctl:KVM_SET_VCPU_EVENTS': fact(
    {
      vcpu_id: 'u',
      exception_injected: 'bool',
      exception_pending: 'bool',
      exception_nr: 'u',
      has_error_code: 'bool',
      error_code: 'u',
      has_payload: 'bool',
      payload: 'u64',
      interrupt_injected: 'bool',
      interrupt_nr: 'u',
      interrupt_soft: 'bool',
      shadow: 'u',
      nmi_injected: 'bool',
      nmi_pending: 'bool',
      nmi_masked: 'bool',
      sipi_vector: 'u',
      triple_fault: 'bool',
      flags: 'u',
    },
    (e) => `vcpu ${e.vcpu_id} flags 0x${hex(e.flags)}`,
  ),
  'ioctl:KVM_SET_DEBUGREGS': fact(
    { vcpu_id: 'u', db0: 'u64', db1: 'u64', db2: 'u64', db3: 'u64', dr6: 'u64', dr7: 'u64' },
    (e) => `vcpu ${e.vcpu_id} dr6 0x${hex(e.dr6)} dr7 0x${hex(e.dr7)}`,
  ),
  'ioctl:KVM_SET_XSAVE': fact({ vcpu_id: 'u', region: 'bytes' }, (e) => `vcpu ${e.vcpu_id} ${e.region.length} bytes`),
  'ioctl:KVM_SET_FPU': fact({ vcpu_id: 'u', region: 'bytes' }, (e) => `vcpu ${e.vcpu_id} ${e.region.length} bytes`),
  'ioctl:KVM_SET_XCRS': fact({ vcpu_id: 'u', xcr0: 'u64' }, (e) => `vcpu ${e.vcpu_id} xcr0 0x${hex(e.xcr0)}`),
  'ioctl:KVM_KVMCLOCK_CTRL': fact({ vcpu_id: 'u' }, (e) => `vcpu ${e.vcpu_id}`),
  /** own: the guest's DR0-3 and DR7 while the processor holds user space's, 8 bytes each; empty: it has the guest's. */
  'ioctl:KVM_SET_GUEST_DEBUG': fact(
    { vcpu_id: 'u', control: 'u', debugreg: 'bytes', single_step_rip: 'u64', own: 'bytes' },
    (e) => `vcpu ${e.vcpu_id} control 0x${hex(e.control)}`,
  ),
  'ioctl:KVM_SET_DEVICE_ATTR': fact(
    { vcpu_id: 'u', group: 'u', attr: 'u', value: 'u64' },
    (e) => `vcpu ${e.vcpu_id} group ${e.group} attr ${e.attr} 0x${hex(e.value)}`,
  ),
  'ioctl:KVM_X86_SETUP_MCE': fact({ vcpu_id: 'u', mcg_cap: 'u64' }, (e) => `vcpu ${e.vcpu_id} 0x${hex(e.mcg_cap)}`),
} as const;
