import { hex } from '../../events/schema.ts';
import { msrText, namesOf } from '../../events/named-numbers.ts';
import { portText } from '../../events/port-names.ts';
import { EXCEPTIONS, KVM_EXIT_REASONS, MP_STATES, symbol } from '../../events/symbols.ts';
import type { EventKind, EventOf, MachineEvent } from '../../events/vocabulary.ts';
import { EXIT_REASON } from '../../x86/controls.ts';
import { EXIT_NAMES, EXIT_REASONS, type ExitReason, field, QUALIFICATION } from '../../x86/exit-reasons.ts';
import {
  REQ_CLOCK_UPDATE,
  REQ_EVENT,
  REQ_GLOBAL_CLOCK_UPDATE,
  REQ_LOAD_MMU_PGD,
  REQ_MASTERCLOCK_UPDATE,
  REQ_STEAL_UPDATE,
  REQ_TLB_FLUSH,
  REQ_TRIPLE_FAULT,
} from '../../kvm/context.ts';
import { IOCTLS } from '../../kvm/ioctl/ioctls.ts';
import { dissect } from '../../packets/dissect/dissect.ts';
import { summary } from '../../packets/dissect/summary.ts';
import { textOf } from './text.ts';

/** A field and its value; nothing of one that is zero. */
const also = (name: string, value: number | bigint): string => (Number(value) === 0 ? '' : ` ${name} 0x${hex(value)}`);

const REQUESTS: readonly (readonly [bit: number, name: string])[] = [
  [REQ_EVENT, 'EVENT'],
  [REQ_CLOCK_UPDATE, 'CLOCK_UPDATE'],
  [REQ_MASTERCLOCK_UPDATE, 'MASTERCLOCK_UPDATE'],
  [REQ_STEAL_UPDATE, 'STEAL_UPDATE'],
  [REQ_TRIPLE_FAULT, 'TRIPLE_FAULT'],
  [REQ_TLB_FLUSH, 'TLB_FLUSH'],
  [REQ_LOAD_MMU_PGD, 'LOAD_MMU_PGD'],
  [REQ_GLOBAL_CLOCK_UPDATE, 'GLOBAL_CLOCK_UPDATE'],
];

/** Requests by name, what has none as a number. */
function requestsText(requests: number): string {
  const named = REQUESTS.filter(([bit]) => (requests & bit) !== 0);
  const rest = named.reduce((left, [bit]) => left - bit, requests);
  return [...named.map(([, name]) => name), ...(rest === 0 ? [] : [`0x${hex(rest)}`])].join('|') || '0';
}

/** The request of an ioctl by name, and its argument. */
const ioctlText = ({ type, arg }: { readonly type: number; readonly arg: number }): string =>
  `${IOCTLS[type]?.name ?? `type 0x${hex(type)}`}${also('arg', arg)}`;

/** What an access of user space's is at: a port by its name, or memory. */
const placeText = ({ addr, pio }: { readonly addr: number; readonly pio: boolean }): string =>
  pio ? `port ${portText(addr)}` : `gpa 0x${hex(addr)}`;

type Exit = EventOf<'kvm_exit'>;

/** What a reason's qualification says, of those a person looks for. */
const DETAILS: Readonly<Record<string, (e: Exit, low: number) => string>> = {
  IO_INSTRUCTION(_, low) {
    const { size, port, in: isIn, string } = QUALIFICATION.IO_INSTRUCTION;
    const way = field(low, isIn) === 1 ? 'in' : 'out';
    const what = `${way}${field(low, string) === 1 ? 's' : ''} port ${portText(field(low, port))}`;
    return ` ${what} size ${field(low, size) + 1}`;
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
  const requests = e.requests === 0 ? '' : ` requests ${requestsText(e.requests)}`;
  const reason = namesOf('kvm_exit', 'exit_reason')?.nameOf(e.exit_reason) ?? `0x${hex(e.exit_reason)}`;
  return `reason ${reason}${what} rip 0x${hex(e.guest_rip)}${event}${requests}`;
}

/** What a packet says may be as long as itself. */
const MOST_SAID = 200;

const briefly = (said: string): string => (said.length > MOST_SAID ? `${said.slice(0, MOST_SAID)}...` : said);

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
    return `pio_${e.rw ? 'write' : 'read'} at ${portText(e.port)}${some} val 0x${hex(e.val)}`;
  },
  kvm_page_fault: (e) =>
    `address 0x${hex(e.fault_address)}${also('error_code', e.error_code)} rip 0x${hex(e.guest_rip)}`,
  kvm_hypercall: (e) => `nr 0x${hex(e.nr)}${also('a0', e.a0)}${also('a1', e.a1)}${also('a2', e.a2)}${also('a3', e.a3)}`,
  kvm_cpuid: (e) =>
    `func 0x${hex(e.function)}${also('idx', e.index)}${also('rax', e.rax)}${also('rbx', e.rbx)}` +
    `${also('rcx', e.rcx)}${also('rdx', e.rdx)}${e.found ? '' : ' not found'}`,
  kvm_run_exit: (e) => `cpu_index ${e.cpu_index} ${symbol(KVM_EXIT_REASONS, e.reason)}`,
  'sim:pic_write': (e) => `port ${portText(e.port)} val 0x${hex(e.val)}`,
  'sim:pic_poll': (e) => `port ${portText(e.port)} irq ${e.irq}`,
  'sim:pit_write': (e) => `port ${portText(e.port)} val 0x${hex(e.val)}`,
  'sim:pit_read': (e) => `port ${portText(e.port)}`,
  'sim:serial_sent': (e) => `line ${e.line} byte 0x${hex(e.byte)}${character(e.byte)}`,
  'sim:msr_set': (e) => `vcpu ${e.vcpu_id} ${msrText(e.index)} = 0x${hex(e.data)}`,
  'sim:run_msr': (e) => `vcpu ${e.vcpu_id} reason ${e.reason} msr ${msrText(e.index)} data 0x${hex(e.data)}`,
  'sim:exception_queued': (e) =>
    `vcpu ${e.vcpu_id} ${symbol(EXCEPTIONS, e.vector)}${e.has_error ? ` (0x${hex(e.error_code)})` : ''}` +
    (e.has_payload ? ` payload 0x${hex(e.payload)}` : ''),
  kvm_ioctl: ioctlText,
  kvm_vm_ioctl: ioctlText,
  kvm_vcpu_ioctl: (e) => `cpu_index ${e.cpu_index} ${ioctlText(e)}`,
  'sim:request': (e) => `vcpu ${e.vcpu_id} ${requestsText(e.requests)}`,
  'sim:requests_served': (e) => `vcpu ${e.vcpu_id} ${requestsText(e.requests)}`,
  'sim:coalesced_write': (e) => `${placeText(e)} ${e.data.length} bytes`,
  'ioctl:KVM_REGISTER_COALESCED_MMIO': (e) => `${placeText(e)} size ${e.size}`,
  'ioctl:KVM_UNREGISTER_COALESCED_MMIO': (e) => `${placeText(e)} size ${e.size}`,
  'ioctl:KVM_SET_MP_STATE': (e) => `vcpu ${e.vcpu_id} ${symbol(MP_STATES, e.mp_state)}`,
  'sim:packet_sent': (e) => `${textOf(e)}: ${briefly(summary(dissect(e.bytes)))}`,
  'sim:mp_state': (e) => `vcpu ${e.vcpu_id} ${symbol(MP_STATES, e.mp_state)}`,
};

/** An event's text for a person: names for numbers, and nothing of what is zero. */
export function briefOf(event: MachineEvent): string {
  const brief = BRIEF[event.kind] as ((event: MachineEvent) => string) | undefined;
  return brief === undefined ? textOf(event) : brief(event);
}
