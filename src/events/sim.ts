import { fact, hex, input } from './schema.ts';

/** Events with no upstream equivalent: inputs, what the processor answered, and what upstream does not trace. */
export const SIM_EVENTS = {
  'sim:powered_on': input({ seed: 'text', wall_clock: 'u64' }, (e) => `seed=${e.seed} wall_clock=${e.wall_clock}`),
  'sim:serial_received': input({ line: 'u', bytes: 'bytes' }, (e) => `line ${e.line} ${e.bytes.length} bytes`),
  'sim:keyboard_received': input({ bytes: 'bytes' }, (e) => `${e.bytes.length} scan code bytes`),
  'sim:packet_received': input({ netdev: 'text', bytes: 'bytes' }, (e) => `${e.netdev} ${e.bytes.length} bytes`),
  'sim:disk_completed': input({ drive: 'text', request: 'u', status: 'i' }, (e) =>
    `${e.drive} request ${e.request} status ${e.status}`,
  ),
  'sim:reset_requested': input({}, () => ''),
  'sim:power_button_pressed': input({}, () => ''),
  /** A person changed the past or the present of a fork: `what` names it, `value` is its JSON. */
  'sim:intervened': input({ what: 'text', value: 'text' }, (e) => `${e.what} ${e.value}`),

  'sim:irq_line': fact({ dev: 'text', pin: 'text', level: 'u' }, (e) => `dev ${e.dev} pin ${e.pin} level ${e.level}`),
  'sim:serial_sent': fact({ line: 'u', byte: 'u' }, (e) => `line ${e.line} byte 0x${hex(e.byte)}`),
  'sim:debugcon_sent': fact({ byte: 'u' }, (e) => `byte 0x${hex(e.byte)}`),
  'sim:packet_sent': fact({ netdev: 'text', bytes: 'bytes' }, (e) => `${e.netdev} ${e.bytes.length} bytes`),
  'sim:exit_requested': fact({ status: 'u' }, (e) => `status ${e.status}`),
  'sim:powered_off': fact({}, () => ''),
  'sim:reset': fact({ by: 'text' }, (e) => `by ${e.by}`),

  'sim:fd_open': fact({ path: 'text', fd: 'i' }, (e) => `path ${e.path} fd ${e.fd}`),
  /** fd: 'kvm', 'vm', 'vcpu<n>' or 'vhost'. */
  'sim:ioctl': fact(
    { fd: 'text', nr: 'u', name: 'text', argDigest: 'text', ret: 'i' },
    (e) => `fd ${e.fd} nr 0x${hex(e.nr)} ${e.name} arg ${e.argDigest} ret ${e.ret}`,
  ),
  'sim:mmap': fact({ fd: 'text', len: 'u', hva: 'u' }, (e) => `fd ${e.fd} len 0x${hex(e.len)} hva 0x${hex(e.hva)}`),
  'sim:eventfd_signal': fact({ fd: 'i', n: 'u', by: 'text' }, (e) => `fd ${e.fd} n ${e.n} by ${e.by}`),
  'sim:eventfd_consume': fact({ fd: 'i', n: 'u', by: 'text' }, (e) => `fd ${e.fd} n ${e.n} by ${e.by}`),
  'sim:vmcs_write': fact(
    { vcpu_id: 'u', vmcs: 'text', field: 'text', enc: 'u', value: 'u64' },
    (e) => `vcpu ${e.vcpu_id} ${e.vmcs} ${e.field} (0x${hex(e.enc)}) = 0x${hex(e.value)}`,
  ),
  'sim:vmx_insn': fact(
    { vcpu_id: 'u', op: 'text', operand: 'u64', result: 'text', err: 'u' },
    (e) => `vcpu ${e.vcpu_id} ${e.op} 0x${hex(e.operand)} ${e.result}${e.err === 0 ? '' : ` error ${e.err}`}`,
  ),
  'sim:tlb_flush': fact(
    { vcpu_id: 'u', scope: 'text', vpid: 'u', eptp: 'u64' },
    (e) => `vcpu ${e.vcpu_id} ${e.scope} vpid ${e.vpid} eptp 0x${hex(e.eptp)}`,
  ),
  'sim:guest_pt_write': fact(
    { vcpu_id: 'u', gpa: 'u', old: 'u64', new: 'u64' },
    (e) => `vcpu ${e.vcpu_id} gpa 0x${hex(e.gpa)} old 0x${hex(e.old)} new 0x${hex(e.new)}`,
  ),
  /** deadline: virtual nanoseconds since power-on. */
  'sim:timer_arm': fact({ id: 'text', deadline: 'u' }, (e) => `${e.id} deadline ${e.deadline} ns`),
  'sim:timer_fire': fact({ id: 'text', deadline: 'u' }, (e) => `${e.id} deadline ${e.deadline} ns`),
  'sim:thread_switch': fact({ from: 'text', to: 'text' }, (e) => `from ${e.from} to ${e.to}`),
  /** dir: 'read' is device reads guest memory. */
  'sim:dma': fact(
    { dev: 'text', dir: 'text', gpa: 'u', len: 'u', digest: 'text' },
    (e) => `dev ${e.dev} ${e.dir} gpa 0x${hex(e.gpa)} len ${e.len} digest ${e.digest}`,
  ),
  'sim:idle_warped': fact({ from: 'u', to: 'u' }, (e) => `from ${e.from} to ${e.to} ns`),
  'sim:guest_panicked': fact({ by: 'text' }, (e) => `by ${e.by}`),

  /** Chance the guest saw. Its tick is that of the VM entry in which it was drawn. */
  'sim:random_drawn': fact({ stream: 'text', value: 'u64' }, (e) => `${e.stream} 0x${hex(e.value)}`),
  /** The processor gave control back without a VM exit of its own: its budget ended. */
  'sim:guest_stopped': fact(
    { vcpu_id: 'u', why: 'text', ticks: 'u', rip: 'u64', rflags: 'u', interruptibility: 'u', cr8: 'u' },
    (e) => `vcpu ${e.vcpu_id} ${e.why} after ${e.ticks} ticks rip 0x${hex(e.rip)}`,
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
  /**
   * What emulating the instruction at rip came to. at: gpa or port; bytes: what OUTS gave, or for `done` of each
   * write its gpa (8 bytes, little-endian), length (1) and bytes.
   */
  'sim:emulated': fact(
    { vcpu_id: 'u', then: 'text', at: 'u', size: 'u', count: 'u', bytes: 'bytes' },
    (e) => `vcpu ${e.vcpu_id} ${e.then} at 0x${hex(e.at)} size ${e.size} count ${e.count} ${e.bytes.length} bytes`,
  ),
  /** The exit that emulating an instruction ended in. */
  'sim:emulation_exited': fact(
    {
      vcpu_id: 'u', exit_reason: 'u', info1: 'u64', insn_len: 'u', insn_info: 'u', intr_info: 'u', error_code: 'u',
      info2: 'u', idt_error_code: 'u', gla: 'u64', gpa: 'u',
    },
    (e) => `vcpu ${e.vcpu_id} reason ${e.exit_reason} info1 0x${hex(e.info1)} gpa 0x${hex(e.gpa)}`,
  ),
  'sim:task_switched': fact(
    { vcpu_id: 'u', outcome: 'text', vector: 'u', error_code: 'u', address: 'u64' },
    (e) => `vcpu ${e.vcpu_id} ${e.outcome}${e.outcome.startsWith('fault') ? ` vector ${e.vector}` : ''}`,
  ),
  'sim:memory_read': fact({ hva: 'u', bytes: 'bytes' }, (e) => `hva 0x${hex(e.hva)} ${e.bytes.length} bytes`),
  'sim:translated': fact(
    { vcpu_id: 'u', linear: 'u64', mapped: 'bool', gpa: 'u', entries: 'bytes' },
    (e) => `vcpu ${e.vcpu_id} linear 0x${hex(e.linear)} ${e.mapped ? `gpa 0x${hex(e.gpa)}` : 'not mapped'}`,
  ),

  /** An event of a kind this version does not know: read from another version's trace or imported from a log. */
  'sim:unknown': fact({ name: 'text', value: 'text' }, (e) => `${e.name}: ${e.value}`),
  'sim:checkpoint': fact({ hash: 'text' }, (e) => `hash ${e.hash}`),
  'sim:digest': fact({ state: 'text', memory: 'text' }, (e) => `state ${e.state} memory ${e.memory}`),
  'sim:vmentry_check': fact(
    { vcpu_id: 'u', group: 'text', failed: 'text' },
    (e) => `vcpu ${e.vcpu_id} ${e.group}: ${e.failed === '' ? 'ok' : e.failed}`,
  ),
  'sim:hypercall_ret': fact({ nr: 'u64', ret: 'u64' }, (e) => `nr 0x${hex(e.nr)} ret 0x${hex(e.ret)}`),
} as const;
