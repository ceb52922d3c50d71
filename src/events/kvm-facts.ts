import { fact, hex } from './schema.ts';

/** What happens inside KVM without a tracepoint of Linux: each changes something KVM remembers. */
export const KVM_FACTS = {
  'sim:vmcs_write': fact(
    { vcpu_id: 'u', vmcs: 'text', field: 'text', enc: 'u', value: 'u64' },
    (e) => `vcpu ${e.vcpu_id} ${e.vmcs} ${e.field} (0x${hex(e.enc)}) = 0x${hex(e.value)}`,
  ),
  /** A failed check: the entry did not take place. */
  'sim:vmentry_check': fact(
    { vcpu_id: 'u', group: 'text', failed: 'text', reason: 'u' },
    (e) => `vcpu ${e.vcpu_id} ${e.group}: ${e.failed}`,
  ),
  'sim:hypercall_ret': fact({ nr: 'u64', ret: 'u64' }, (e) => `nr 0x${hex(e.nr)} ret 0x${hex(e.ret)}`),

  /** kvm_make_request, where no other fact implies it. requests: REQ_* bits of kvm/context.ts. */
  'sim:request': fact({ vcpu_id: 'u', requests: 'u' }, (e) => `vcpu ${e.vcpu_id} 0x${hex(e.requests)}`),
  /** Requests taken up before an entry. */
  'sim:requests_served': fact({ vcpu_id: 'u', requests: 'u' }, (e) => `vcpu ${e.vcpu_id} 0x${hex(e.requests)}`),
  /** kvm_multiple_exception: what waits to be delivered now; a second exception may have made it a double fault. */
  'sim:exception_queued': fact(
    {
      vcpu_id: 'u',
      vector: 'u',
      has_error: 'bool',
      error_code: 'u',
      has_payload: 'bool',
      payload: 'u64',
    },
    (e) =>
      `vcpu ${e.vcpu_id} vector ${e.vector}${e.has_error ? ` error 0x${hex(e.error_code)}` : ''}` +
      `${e.has_payload ? ` payload 0x${hex(e.payload)}` : ''}`,
  ),
  /** The event an exit interrupted is not delivered again: a task switch has taken its place. */
  'sim:delivery_ended': fact({ vcpu_id: 'u' }, (e) => `vcpu ${e.vcpu_id}`),
  'sim:triple_fault': fact({ vcpu_id: 'u' }, (e) => `vcpu ${e.vcpu_id}`),
  /** An NMI was accepted: so many wait now. */
  'sim:nmi_pending': fact({ vcpu_id: 'u', pending: 'u' }, (e) => `vcpu ${e.vcpu_id} pending ${e.pending}`),
  'sim:inj_nmi': fact({ vcpu_id: 'u' }, (e) => `vcpu ${e.vcpu_id}`),
  /** INTA: a vector goes from request to service. irqchip: 0 the PICs, 3 the local APIC. */
  'sim:intack': fact(
    { vcpu_id: 'u', irqchip: 'u', vector: 'u' },
    (e) => `vcpu ${e.vcpu_id} ${e.irqchip === 0 ? 'PIC' : 'LAPIC'} vector ${e.vector}`,
  ),
  /** mp_state: KVM_MP_STATE_*. */
  'sim:mp_state': fact({ vcpu_id: 'u', mp_state: 'u' }, (e) => `vcpu ${e.vcpu_id} ${e.mp_state}`),
  'sim:vcpu_blocked': fact({ vcpu_id: 'u', ns: 'u' }, (e) => `vcpu ${e.vcpu_id} at ${e.ns} ns`),
  /** INIT is acted on. */
  'sim:init': fact({ vcpu_id: 'u', mp_state: 'u' }, (e) => `vcpu ${e.vcpu_id} mp_state ${e.mp_state}`),
  /** A start-up IPI is acted on, or comes to nothing. */
  'sim:sipi': fact(
    { vcpu_id: 'u', vector: 'u', starts: 'bool' },
    (e) => `vcpu ${e.vcpu_id} vector 0x${hex(e.vector)}${e.starts ? '' : ' ignored'}`,
  ),
  /** The vCPU waited so long for its turn. */
  'sim:stolen': fact({ vcpu_id: 'u', ns: 'u' }, (e) => `vcpu ${e.vcpu_id} ${e.ns} ns`),
  /** The guest's steal-time record was written. */
  'sim:steal_time': fact(
    { vcpu_id: 'u', steal: 'u', version: 'u', preempted: 'bool' },
    (e) => `vcpu ${e.vcpu_id} steal ${e.steal} ns version ${e.version}${e.preempted ? ' preempted' : ''}`,
  ),
  /** The paravirtual EOI word is offered, or taken back. */
  'sim:pv_eoi': fact({ vcpu_id: 'u', offered: 'bool' }, (e) => `vcpu ${e.vcpu_id} ${e.offered ? 'offered' : 'taken'}`),
  /** An MSR that KVM keeps has this value now. */
  'sim:msr_set': fact(
    { vcpu_id: 'u', index: 'u', data: 'u64' },
    (e) => `vcpu ${e.vcpu_id} ${hex(e.index)} = 0x${hex(e.data)}`,
  ),
  'sim:tsc_adjust': fact({ vcpu_id: 'u', value: 'u64' }, (e) => `vcpu ${e.vcpu_id} 0x${hex(e.value)}`),
  'sim:xcr0': fact({ vcpu_id: 'u', value: 'u64' }, (e) => `vcpu ${e.vcpu_id} 0x${hex(e.value)}`),
  /** A debug register of the guest while the processor holds user space's. */
  'sim:guest_dr': fact({ vcpu_id: 'u', dr: 'u', value: 'u64' }, (e) => `vcpu ${e.vcpu_id} dr${e.dr} 0x${hex(e.value)}`),

  'sim:apic_base': fact({ vcpu_id: 'u', value: 'u' }, (e) => `vcpu ${e.vcpu_id} 0x${hex(e.value)}`),
  /** The task priority register, written by MOV to CR8 or from user space. */
  'sim:tpr': fact({ vcpu_id: 'u', tpr: 'u' }, (e) => `vcpu ${e.vcpu_id} 0x${hex(e.tpr)}`),
  /** A local APIC logs an error for its next write of ESR, as a bit of it. */
  'sim:apic_error': fact({ vcpu_id: 'u', error: 'u' }, (e) => `vcpu ${e.vcpu_id} 0x${hex(e.error)}`),
  /** A timer that expired while it was masked is delivered now. */
  'sim:lapic_timer_delivered': fact({ vcpu_id: 'u' }, (e) => `vcpu ${e.vcpu_id}`),
  'sim:pic_write': fact({ port: 'u', val: 'u' }, (e) => `port 0x${hex(e.port)} val 0x${hex(e.val)}`),
  /** A read in poll mode, which takes the place of INTA. irq -1: none was wanted. */
  'sim:pic_poll': fact({ port: 'u', irq: 'i' }, (e) => `port 0x${hex(e.port)} irq ${e.irq}`),
  /** INTR of the PICs is worked out anew, after an end of interrupt has been told. */
  'sim:pic_intr': fact({}, () => ''),
  /** offset: 0 IOREGSEL, 0x10 IOWIN. */
  'sim:ioapic_write': fact({ offset: 'u', val: 'u' }, (e) => `offset 0x${hex(e.offset)} val 0x${hex(e.val)}`),
  /** An input of the IOAPIC is latched or let go. */
  'sim:ioapic_line': fact({ pin: 'u', level: 'u' }, (e) => `pin ${e.pin} level ${e.level}`),
  /** A pin's message was sent; count: LAPICs that took it, -1 none was addressed. */
  'sim:ioapic_delivered': fact(
    { pin: 'u', count: 'i', rtc: 'bool' },
    (e) => `pin ${e.pin} count ${e.count}${e.rtc ? ' tracked' : ''}`,
  ),
  /** An EOI reached a level-triggered pin. */
  'sim:ioapic_eoi': fact({ pin: 'u' }, (e) => `pin ${e.pin}`),
  /** The state was set from outside and what was asserted is delivered: which EOIs are awaited is worked out anew. */
  'sim:ioapic_restored': fact({}, () => ''),
  'sim:pit_write': fact({ port: 'u', val: 'u' }, (e) => `port 0x${hex(e.port)} val 0x${hex(e.val)}`),
  'sim:pit_read': fact({ port: 'u' }, (e) => `port 0x${hex(e.port)}`),
  /** A counter starts from its count. ns: virtual time. */
  'sim:pit_load': fact(
    { channel: 'u', count: 'u', ns: 'u' },
    (e) => `channel ${e.channel} count ${e.count} at ${e.ns} ns`,
  ),
  /** A counter's value or status is latched; -1: not. */
  'sim:pit_latch': fact(
    { channel: 'u', count: 'i', status: 'i' },
    (e) => `channel ${e.channel} count ${e.count} status ${e.status}`,
  ),
  /** Port 61h; ns: when counter 2 begins anew if its gate rises. */
  'sim:pit_speaker': fact({ val: 'u', ns: 'u' }, (e) => `val 0x${hex(e.val)} at ${e.ns} ns`),

  /** A page of a logged slot is dirty. */
  'sim:page_dirty': fact({ slot: 'u', gfn: 'u' }, (e) => `slot ${e.slot} gfn 0x${hex(e.gfn)}`),
  'sim:fd_open': fact({ path: 'text', fd: 'i' }, (e) => `path ${e.path} fd ${e.fd}`),
  /** fd: 'kvm', 'vm' or 'vcpu<n>'. Of requests that change nothing, the only fact. */
  'sim:ioctl': fact(
    { fd: 'text', nr: 'u', name: 'text', argDigest: 'text', ret: 'i' },
    (e) => `fd ${e.fd} nr 0x${hex(e.nr)} ${e.name} arg ${e.argDigest} ret ${e.ret}`,
  ),
  'sim:eventfd_signal': fact({ fd: 'i', n: 'u', by: 'text' }, (e) => `fd ${e.fd} n ${e.n} by ${e.by}`),
  'sim:eventfd_consume': fact({ fd: 'i', n: 'u', by: 'text' }, (e) => `fd ${e.fd} n ${e.n} by ${e.by}`),
  /** A write that user space need not see at once waits in the ring. */
  'sim:coalesced_write': fact(
    { addr: 'u', pio: 'bool', data: 'bytes' },
    (e) => `addr 0x${hex(e.addr)} ${e.data.length} bytes`,
  ),
  /** User space took entries out of the ring: it stands at `first` now. */
  'sim:coalesced_taken': fact({ first: 'u' }, (e) => `first ${e.first}`),

  /** What kvm_run holds besides a KVM_EXIT_IO or KVM_EXIT_MMIO, by exit. */
  'sim:run_debug': fact(
    { vcpu_id: 'u', exception: 'u', pc: 'u64', dr6: 'u64', dr7: 'u64' },
    (e) => `vcpu ${e.vcpu_id} exception ${e.exception} pc 0x${hex(e.pc)} dr6 0x${hex(e.dr6)} dr7 0x${hex(e.dr7)}`,
  ),
  /** data: 64-bit words. */
  'sim:run_internal_error': fact(
    { vcpu_id: 'u', suberror: 'u', data: 'bytes' },
    (e) => `vcpu ${e.vcpu_id} suberror ${e.suberror}`,
  ),
  'sim:run_fail_entry': fact({ vcpu_id: 'u', reason: 'u64' }, (e) => `vcpu ${e.vcpu_id} reason 0x${hex(e.reason)}`),
  'sim:run_msr': fact(
    { vcpu_id: 'u', reason: 'u', index: 'u', data: 'u64' },
    (e) => `vcpu ${e.vcpu_id} reason ${e.reason} msr ${hex(e.index)} data 0x${hex(e.data)}`,
  ),

  /** What the processor answered when the hypervisor looked at a register by name. */
  'sim:register_read': fact(
    { vcpu_id: 'u', name: 'text', value: 'u64' },
    (e) => `vcpu ${e.vcpu_id} ${e.name} = 0x${hex(e.value)}`,
  ),
  'sim:segment_read': fact(
    { vcpu_id: 'u', index: 'u', selector: 'u', base: 'u64', limit: 'u', access: 'u' },
    (e) => `vcpu ${e.vcpu_id} segment ${e.index} = ${hex(e.selector)} base 0x${hex(e.base)} limit 0x${hex(e.limit)}`,
  ),
  'sim:xsave_read': fact({ vcpu_id: 'u', area: 'bytes' }, (e) => `vcpu ${e.vcpu_id} ${e.area.length} bytes`),
  /** Where the guest stands, looked at after its registers were set in a way KVM cannot work out. */
  'sim:position_read': fact(
    { vcpu_id: 'u', rip: 'u64', rflags: 'u', interruptibility: 'u', cr8: 'u' },
    (e) => `vcpu ${e.vcpu_id} rip 0x${hex(e.rip)} rflags 0x${hex(e.rflags)}`,
  ),
  /**
   * What emulating the instruction at rip came to, and where the guest stands then. at: gpa or port; bytes: what OUTS
   * gave, or for `done` of each write its gpa (8 bytes, little-endian), length (1) and bytes.
   */
  'sim:emulated': fact(
    {
      vcpu_id: 'u',
      then: 'text',
      at: 'u',
      size: 'u',
      count: 'u',
      bytes: 'bytes',
      rip: 'u64',
      rflags: 'u',
      interruptibility: 'u',
      breakpoints: 'u',
    },
    (e) => `vcpu ${e.vcpu_id} ${e.then} at 0x${hex(e.at)} size ${e.size} count ${e.count} ${e.bytes.length} bytes`,
  ),
  /** The exit that emulating an instruction ended in. */
  'sim:emulation_exited': fact(
    {
      vcpu_id: 'u',
      exit_reason: 'u',
      info1: 'u64',
      insn_len: 'u',
      insn_info: 'u',
      intr_info: 'u',
      error_code: 'u',
      info2: 'u',
      idt_error_code: 'u',
      gla: 'u64',
      gpa: 'u',
    },
    (e) => `vcpu ${e.vcpu_id} reason ${e.exit_reason} info1 0x${hex(e.info1)} gpa 0x${hex(e.gpa)}`,
  ),
  'sim:task_switched': fact(
    {
      vcpu_id: 'u',
      outcome: 'text',
      vector: 'u',
      error_code: 'u',
      address: 'u64',
      rip: 'u64',
      rflags: 'u',
      interruptibility: 'u',
    },
    (e) => `vcpu ${e.vcpu_id} ${e.outcome}${e.outcome.startsWith('fault') ? ` vector ${e.vector}` : ''}`,
  ),
  'sim:memory_read': fact({ hva: 'u', bytes: 'bytes' }, (e) => `hva 0x${hex(e.hva)} ${e.bytes.length} bytes`),
  'sim:translated': fact(
    { vcpu_id: 'u', linear: 'u64', mapped: 'bool', gpa: 'u', entries: 'bytes' },
    (e) => `vcpu ${e.vcpu_id} linear 0x${hex(e.linear)} ${e.mapped ? `gpa 0x${hex(e.gpa)}` : 'not mapped'}`,
  ),
} as const;
