import { hex } from '../../events/schema.ts';
import { msrText, namesOf } from '../../events/named-numbers.ts';
import { EXCEPTIONS, KVM_EXIT_REASONS, MP_STATES, symbol } from '../../events/symbols.ts';
import type { EventKind, EventOf, MachineEvent } from '../../events/vocabulary.ts';
import { EXIT_REASON } from '../../x86/controls.ts';
import { EXIT_NAMES, EXIT_REASONS, type ExitReason, field, QUALIFICATION } from '../../x86/exit-reasons.ts';
import { textOf } from './text.ts';

/** A field and its value; nothing of one that is zero. */
const also = (name: string, value: number | bigint): string => (Number(value) === 0 ? '' : ` ${name} 0x${hex(value)}`);

type Exit = EventOf<'kvm_exit'>;

/** What a reason's qualification says, of those a person looks for. */
const DETAILS: Readonly<Record<string, (e: Exit, low: number) => string>> = {
  IO_INSTRUCTION(_, low) {
    const { size, port, in: isIn, string } = QUALIFICATION.IO_INSTRUCTION;
    const way = field(low, isIn) === 1 ? 'in' : 'out';
    return ` ${way}${field(low, string) === 1 ? 's' : ''} port 0x${hex(field(low, port))} size ${field(low, size) + 1}`;
  },
  EPT_VIOLATION(e, low) {
    const { read, write, fetch } = QUALIFICATION.EPT_VIOLATION;
    const ways = Object.entries({ read, write, fetch }).filter(([, bit]) => field(low, bit) === 1);
    return ` gpa 0x${hex(e.gpa)} ${ways.map(([name]) => name).join('|')}`;
  },
  EPT_MISCONFIG: (e) => ` gpa 0x${hex(e.gpa)}`,
  CR_ACCESS(_, low) {
    const { cr, access } = QUALIFICATION.CR_ACCESS;
    return ` ${['to', 'from', 'clts', 'lmsw'][field(low, access)]} cr${field(low, cr)}`;
  },
  MSR_READ: (e) => ` msr ${msrText(Number(e.a0))}`,
  MSR_WRITE: (e) => ` msr ${msrText(Number(e.a0))} = 0x${hex(e.a1)}`,
};

/** Operands by name, as the reason's row gives them. */
function operandsOf(e: Exit, name: string): string {
  const { operands = [] }: ExitReason = EXIT_REASONS[name as keyof typeof EXIT_REASONS] ?? { number: 0 };
  const values = [e.a0, e.a1, e.a2, e.a3, e.a4, e.a5];
  return operands.map((operand, at) => also(operand, values[at]!)).join('');
}

function exit(e: Exit): string {
  const name = EXIT_NAMES[e.exit_reason & EXIT_REASON.BASIC] ?? '';
  const low = Number(BigInt.asUintN(32, e.info1));
  const details = DETAILS[name];
  const what = details === undefined ? `${also('info1', e.info1)}${operandsOf(e, name)}` : details(e, low);
  const event = `${also('intr_info', e.intr_info)}${also('error_code', e.error_code)}${also('info2', e.info2)}`;
  const reason = namesOf('kvm_exit', 'exit_reason')?.nameOf(e.exit_reason) ?? `0x${hex(e.exit_reason)}`;
  return `reason ${reason}${what} rip 0x${hex(e.guest_rip)}${event}${also('requests', e.requests)}`;
}

const character = (byte: number): string => (byte > 0x20 && byte < 0x7f ? ` '${String.fromCharCode(byte)}'` : '');

type Brief = { readonly [K in EventKind]?: (event: EventOf<K>) => string };

/** Kinds whose own text is longer than a line, or has numbers that have names. */
const BRIEF: Brief = {
  kvm_exit: exit,
  kvm_entry: (e) =>
    `rip 0x${hex(e.rip)}${also('intr_info', e.intr_info)}${also('error_code', e.error_code)}` +
    (e.immediate_exit ? ' [immediate exit]' : ''),
  kvm_msr: (e) =>
    `msr_${e.write ? 'write' : 'read'} ${msrText(e.ecx)} = 0x${hex(e.data)}${e.exception ? ' (#GP)' : ''}`,
  kvm_pio: (e) => {
    const some = `${e.size === 1 ? '' : ` size ${e.size}`}${e.count === 1 ? '' : ` count ${e.count}`}`;
    return `pio_${e.rw ? 'write' : 'read'} at 0x${hex(e.port)}${some} val 0x${hex(e.val)}`;
  },
  kvm_page_fault: (e) =>
    `address 0x${hex(e.fault_address)}${also('error_code', e.error_code)} rip 0x${hex(e.guest_rip)}`,
  kvm_hypercall: (e) => `nr 0x${hex(e.nr)}${also('a0', e.a0)}${also('a1', e.a1)}${also('a2', e.a2)}${also('a3', e.a3)}`,
  kvm_cpuid: (e) =>
    `func 0x${hex(e.function)}${also('idx', e.index)}${also('rax', e.rax)}${also('rbx', e.rbx)}` +
    `${also('rcx', e.rcx)}${also('rdx', e.rdx)}${e.found ? '' : ' not found'}`,
  kvm_run_exit: (e) => `cpu_index ${e.cpu_index} ${symbol(KVM_EXIT_REASONS, e.reason)}`,
  'sim:serial_sent': (e) => `line ${e.line} byte 0x${hex(e.byte)}${character(e.byte)}`,
  'sim:msr_set': (e) => `vcpu ${e.vcpu_id} ${msrText(e.index)} = 0x${hex(e.data)}`,
  'sim:run_msr': (e) => `vcpu ${e.vcpu_id} reason ${e.reason} msr ${msrText(e.index)} data 0x${hex(e.data)}`,
  'sim:exception_queued': (e) =>
    `vcpu ${e.vcpu_id} ${symbol(EXCEPTIONS, e.vector)}${e.has_error ? ` (0x${hex(e.error_code)})` : ''}` +
    (e.has_payload ? ` payload 0x${hex(e.payload)}` : ''),
  'sim:mp_state': (e) => `vcpu ${e.vcpu_id} ${symbol(MP_STATES, e.mp_state)}`,
};

/** An event's text for a person: names for numbers, and nothing of what is zero. */
export function briefOf(event: MachineEvent): string {
  const brief = BRIEF[event.kind] as ((event: MachineEvent) => string) | undefined;
  return brief === undefined ? textOf(event) : brief(event);
}
