import { EXIT_NAMES } from '../x86/exit-reasons.ts';
import { EXIT_REASON } from '../x86/controls.ts';
import { fact, hex } from './schema.ts';
import {
  APIC_REGISTERS,
  DECODE_MODES,
  DELIVERY_MODES,
  DESTINATION_SHORTHANDS,
  EXCEPTIONS,
  HOST_CLOCKS,
  hexBytes,
  IRQCHIPS,
  KVM_EXIT_REASONS,
  padded,
  symbol,
} from './symbols.ts';

/** What `trace_kvm_exit` prints. Its fields after `requests` are ours. */
interface PrintedExit {
  readonly vcpu_id: number;
  readonly exit_reason: number;
  readonly guest_rip: bigint;
  readonly info1: bigint;
  readonly info2: number;
  readonly intr_info: number;
  readonly error_code: number;
  readonly requests: number;
}

function printExit(e: PrintedExit): string {
  const failedEntry = e.exit_reason >= EXIT_REASON.ENTRY_FAILED ? ' FAILED_VMENTRY' : '';
  const reason = `${symbol(EXIT_NAMES, e.exit_reason & EXIT_REASON.BASIC)}${failedEntry}`;
  const infos = `info1 0x${padded(e.info1, 16)} info2 0x${padded(e.info2, 16)}`;
  const interrupt = `intr_info 0x${padded(e.intr_info, 8)} error_code 0x${padded(e.error_code, 8)}`;
  const requests = `requests 0x${padded(e.requests, 16)}`;
  return `vcpu ${e.vcpu_id} reason ${reason} rip 0x${hex(e.guest_rip)} ${infos} ${interrupt} ${requests}`;
}

/** An I/O APIC redirection entry. 82093AA data sheet, 3.2.4. */
function printRedirection(e: bigint): string {
  const low = Number(e & 0xffffffffn);
  const mode = symbol(DELIVERY_MODES, (low >> 8) & 7);
  const destination = low & 0x800 ? 'logical' : 'physical';
  const trigger = low & 0x8000 ? 'level' : 'edge';
  const masked = low & 0x10000 ? '|masked' : '';
  return `dst ${hex(e >> 56n)} vec ${low & 0xff} (${mode}|${destination}|${trigger}${masked})`;
}

function printMsi(address: bigint, data: number): string {
  const destination = ((address >> 12n) & 0xffn) | ((address >> 32n) & 0xffffff00n);
  const low = Number(address & 0xffffffffn);
  const mode = symbol(DELIVERY_MODES, (data >> 8) & 7);
  const kind = `${mode}|${low & 4 ? 'logical' : 'physical'}|${data & 0x8000 ? 'level' : 'edge'}${low & 8 ? '|rh' : ''}`;
  return `dst ${hex(destination)} vec ${data & 0xff} (${kind})`;
}

function printIpi(low: number, destination: number): string {
  const mode = symbol(DELIVERY_MODES, (low >> 8) & 7);
  const logical = low & 0x800 ? 'logical' : 'physical';
  const assert = low & 0x4000 ? 'assert' : 'de-assert';
  const trigger = low & 0x8000 ? 'level' : 'edge';
  const shorthand = symbol(DESTINATION_SHORTHANDS, (low >> 18) & 3);
  return `dst ${hex(destination)} vec ${low & 0xff} (${mode}|${logical}|${assert}|${trigger}|${shorthand})`;
}

interface AcceptedIrq {
  readonly apicid: number;
  readonly dm: number;
  readonly tm: number;
  readonly vec: number;
}

function printAccepted(e: AcceptedIrq): string {
  const mode = symbol(DELIVERY_MODES, (e.dm >> 8) & 7);
  return `apicid ${hex(e.apicid)} vec ${e.vec} (${mode}|${e.tm ? 'level' : 'edge'})`;
}

const EXIT_FIELDS = {
  exit_reason: 'u',
  guest_rip: 'u64',
  isa: 'u',
  info1: 'u64',
  info2: 'u',
  intr_info: 'u',
  error_code: 'u',
  vcpu_id: 'u',
  requests: 'u',
} as const;

/** The VMCS and register facts behind an exit that the kernel does not print: see `GuestStop` in x86/guest.ts. */
const EXIT_FACTS = {
  ticks: 'u',
  rflags: 'u',
  interruptibility: 'u',
  cr8: 'u',
  insn_len: 'u',
  insn_info: 'u',
  idt_error_code: 'u',
  gla: 'u64',
  gpa: 'u',
  a0: 'u64',
  a1: 'u64',
  a2: 'u64',
  a3: 'u64',
  a4: 'u64',
  a5: 'u64',
} as const;

/**
 * What a return to user space shows of the kvm_run page. rw: 1 out or write; addr: port or gpa; data: size * count
 * bytes. pending: what completes the exit when user space calls KVM_RUN again.
 */
const RUN_PAGE = {
  vcpu_id: 'u',
  pending: 'text',
  rw: 'u',
  addr: 'u',
  size: 'u',
  count: 'u',
  data: 'bytes',
  if_flag: 'bool',
  ready: 'bool',
  cr8: 'u',
} as const;

/**
 * The `kvm` tracepoints of Linux 6.18 with their fields in order. Guest-physical and host-virtual addresses and frame
 * numbers are numbers (at most 52 bits); linear addresses, registers and MSRs are 64-bit.
 */
export const KVM_EVENTS = {
  kvm_entry: fact(
    { vcpu_id: 'u', rip: 'u64', immediate_exit: 'bool', intr_info: 'u', error_code: 'u' },
    (e) =>
      `vcpu ${e.vcpu_id}, rip 0x${hex(e.rip)} intr_info 0x${padded(e.intr_info, 8)} ` +
      `error_code 0x${padded(e.error_code, 8)}${e.immediate_exit ? '[immediate exit]' : ''}`,
  ),
  kvm_exit: fact({ ...EXIT_FIELDS, ...EXIT_FACTS }, printExit),
  /** Ours, after the kernel's two: the kvm_run page as it is handed over, and what is to be completed afterwards. */
  kvm_userspace_exit: fact({ reason: 'u', errno: 'i', ...RUN_PAGE }, (e) =>
    e.errno < 0
      ? `reason ${e.errno === -4 ? 'restart' : 'error'} (${-e.errno})`
      : `reason ${symbol(KVM_EXIT_REASONS, e.reason)} (${e.reason})`,
  ),
  /** Ours: `data`, all elements of a string read; empty otherwise. */
  kvm_pio: fact(
    { rw: 'u', port: 'u', size: 'u', count: 'u', val: 'u', data: 'bytes' },
    (e) =>
      `pio_${e.rw ? 'write' : 'read'} at 0x${hex(e.port)} size ${e.size} count ${e.count} ` +
      `val 0x${hex(e.val)} ${e.count > 1 ? '(...)' : ''}`,
  ),
  /** type: 0 unsatisfied read, 1 read, 2 write. */
  kvm_mmio: fact({ type: 'u', len: 'u', gpa: 'u', val: 'u64' }, (e) => {
    const type = ['unsatisfied-read', 'read', 'write'][e.type];
    return `mmio ${type} len ${e.len} gpa 0x${hex(e.gpa)} val 0x${hex(e.val)}`;
  }),
  kvm_fast_mmio: fact({ gpa: 'u' }, (e) => `fast mmio at gpa 0x${hex(e.gpa)}`),
  kvm_msr: fact(
    { write: 'u', ecx: 'u', data: 'u64', exception: 'u' },
    (e) => `msr_${e.write ? 'write' : 'read'} ${hex(e.ecx)} = 0x${hex(e.data)}${e.exception ? ' (#GP)' : ''}`,
  ),
  kvm_cr: fact({ rw: 'u', cr: 'u', val: 'u64' }, (e) => `cr_${e.rw ? 'write' : 'read'} ${hex(e.cr)} = 0x${hex(e.val)}`),
  kvm_cpuid: fact(
    { function: 'u', index: 'u', rax: 'u', rbx: 'u', rcx: 'u', rdx: 'u', found: 'bool', used_max_basic: 'bool' },
    (e) =>
      `func ${hex(e.function)} idx ${hex(e.index)} rax ${hex(e.rax)} rbx ${hex(e.rbx)} rcx ${hex(e.rcx)} ` +
      `rdx ${hex(e.rdx)}, cpuid entry ${e.found ? 'found' : 'not found'}${e.used_max_basic ? ', used max basic' : ''}`,
  ),
  kvm_hypercall: fact(
    { nr: 'u64', a0: 'u64', a1: 'u64', a2: 'u64', a3: 'u64' },
    (e) => `nr 0x${hex(e.nr)} a0 0x${hex(e.a0)} a1 0x${hex(e.a1)} a2 0x${hex(e.a2)} a3 0x${hex(e.a3)}`,
  ),
  kvm_emulate_insn: fact(
    { rip: 'u64', csbase: 'u', len: 'u', insn: 'bytes', flags: 'u', failed: 'u' },
    (e) =>
      `${hex(e.csbase)}:${hex(e.rip)}:${hexBytes(e.insn, Math.min(e.len, e.insn.length))} ` +
      `(${symbol(DECODE_MODES, e.flags)})${e.failed ? ' failed' : ''}`,
  ),
  kvm_inj_virq: fact(
    { vector: 'u', soft: 'bool', reinjected: 'bool' },
    (e) => `${e.soft ? 'Soft/INTn' : 'IRQ'} 0x${hex(e.vector)}${e.reinjected ? ' [reinjected]' : ''}`,
  ),
  kvm_inj_exception: fact(
    { exception: 'u', has_error: 'u', error_code: 'u', reinjected: 'bool' },
    (e) =>
      symbol(EXCEPTIONS, e.exception) +
      `${e.has_error ? ` (0x${hex(e.error_code)})` : ''}${e.reinjected ? ' [reinjected]' : ''}`,
  ),
  kvm_page_fault: fact(
    { vcpu_id: 'u', guest_rip: 'u64', fault_address: 'u64', error_code: 'u' },
    (e) =>
      `vcpu ${e.vcpu_id} rip 0x${hex(e.guest_rip)} address 0x${padded(e.fault_address, 16)} ` +
      `error_code 0x${hex(e.error_code)}`,
  ),
  kvm_set_irq: fact(
    { gsi: 'u', level: 'i', irq_source_id: 'i' },
    (e) => `gsi ${e.gsi} level ${e.level} source ${e.irq_source_id}`,
  ),
  kvm_pic_set_irq: fact({ chip: 'u', pin: 'u', elcr: 'u', imr: 'u', coalesced: 'bool' }, (e) => {
    const trigger = e.elcr & (1 << e.pin) ? 'level' : 'edge';
    const masked = e.imr & (1 << e.pin) ? '|masked' : '';
    return `chip ${e.chip} pin ${e.pin} (${trigger}${masked})${e.coalesced ? ' (coalesced)' : ''}`;
  }),
  /** e: the pin's 64-bit redirection entry. */
  kvm_ioapic_set_irq: fact(
    { e: 'u64', pin: 'i', coalesced: 'bool' },
    (e) => `pin ${e.pin} ${printRedirection(e.e)}${e.coalesced ? ' (coalesced)' : ''}`,
  ),
  kvm_ioapic_delayed_eoi_inj: fact({ e: 'u64' }, (e) => printRedirection(e.e)),
  kvm_msi_set_irq: fact({ address: 'u64', data: 'u' }, (e) => printMsi(e.address, e.data)),
  kvm_ack_irq: fact({ irqchip: 'u', pin: 'u' }, (e) => `irqchip ${symbol(IRQCHIPS, e.irqchip)} pin ${e.pin}`),
  /** vector -1: nothing was in service. */
  kvm_eoi: fact({ apicid: 'u', vector: 'i' }, (e) => `apicid ${hex(e.apicid)} vector ${e.vector}`),
  kvm_pv_eoi: fact({ apicid: 'u', vector: 'i' }, (e) => `apicid ${hex(e.apicid)} vector ${e.vector}`),
  kvm_apic: fact(
    { rw: 'u', reg: 'u', val: 'u64' },
    (e) => `apic_${e.rw ? 'write' : 'read'} ${symbol(APIC_REGISTERS, e.reg)} = 0x${hex(e.val)}`,
  ),
  kvm_apic_ipi: fact({ icr_low: 'u', dest_id: 'u' }, (e) => printIpi(e.icr_low, e.dest_id)),
  /**
   * dm: delivery mode in bits 10:8, as in the ICR. Ours: whether the message had an effect, and whether its EOI is
   * waited for on behalf of the RTC.
   */
  kvm_apic_accept_irq: fact({ apicid: 'u', dm: 'u', tm: 'u', vec: 'u', accepted: 'bool', rtc: 'bool' }, printAccepted),
  kvm_pvclock_update: fact(
    {
      vcpu_id: 'u',
      version: 'u',
      tsc_timestamp: 'u64',
      system_time: 'u64',
      tsc_to_system_mul: 'u',
      tsc_shift: 'i',
      flags: 'u',
    },
    (e) =>
      `vcpu_id ${e.vcpu_id}, pvclock { version ${e.version}, tsc_timestamp 0x${hex(e.tsc_timestamp)}, ` +
      `system_time 0x${hex(e.system_time)}, tsc_to_system_mul 0x${hex(e.tsc_to_system_mul)}, ` +
      `tsc_shift ${e.tsc_shift}, flags 0x${hex(e.flags)} }`,
  ),
  kvm_write_tsc_offset: fact(
    { vcpu_id: 'u', previous_tsc_offset: 'u64', next_tsc_offset: 'u64' },
    (e) => `vcpu=${e.vcpu_id} prev=${e.previous_tsc_offset} next=${e.next_tsc_offset}`,
  ),
  kvm_track_tsc: fact(
    { vcpu_id: 'u', nr_vcpus_matched_tsc: 'u', online_vcpus: 'u', use_master_clock: 'bool', host_clock: 'u' },
    (e) =>
      `vcpu_id ${e.vcpu_id} masterclock ${Number(e.use_master_clock)} offsetmatched ${e.nr_vcpus_matched_tsc} ` +
      `nr_online ${e.online_vcpus} hostclock ${symbol(HOST_CLOCKS, e.host_clock)}`,
  ),
  /** Ours: the common base, virtual nanoseconds and host TSC. */
  kvm_update_master_clock: fact(
    { use_master_clock: 'bool', host_clock: 'u', offset_matched: 'bool', kernel_ns: 'u', tsc: 'u64' },
    (e) =>
      `masterclock ${Number(e.use_master_clock)} hostclock ${symbol(HOST_CLOCKS, e.host_clock)} ` +
      `offsetmatched ${Number(e.offset_matched)}`,
  ),
  kvm_vcpu_wakeup: fact(
    { ns: 'u', waited: 'bool', valid: 'bool', vcpu_id: 'u' },
    (e) => `${e.waited ? 'wait' : 'poll'} time ${e.ns} ns, polling ${e.valid ? 'valid' : 'invalid'}`,
  ),
  kvm_ple_window_update: fact(
    { vcpu_id: 'u', new: 'u', old: 'u' },
    (e) => `vcpu ${e.vcpu_id} old ${e.old} new ${e.new} (${e.old < e.new ? 'growed' : 'shrinked'})`,
  ),
} as const;
