import { EXIT_REASON } from '../x86/controls.ts';
import { EXIT_NAMES } from '../x86/exit-reasons.ts';
import { msrName, NAMED_MSRS } from '../x86/msr-names.ts';
import { MSR } from '../x86/msrs.ts';
import {
  APIC_REGISTERS,
  DECODE_MODES,
  DELIVERY_MODES,
  EXCEPTIONS,
  HOST_CLOCKS,
  IRQCHIPS,
  KVM_EXIT_REASONS,
  MP_STATES,
} from './symbols.ts';
import type { EventKind, EventOf } from './vocabulary.ts';

/** Names of a field's values. */
export interface NumberNames {
  /** Undefined: this number has none. */
  nameOf(value: number): string | undefined;
  readonly numbers: ReadonlyMap<string, number>;
}

function named(table: Readonly<Record<number, string>>, unit = 1): NumberNames {
  const rows = Object.entries(table);
  return {
    nameOf: (value) => table[value / unit],
    numbers: new Map(rows.map(([number, name]) => [name, Number(number) * unit])),
  };
}

const FAILED_ENTRY = 'FAILED_VMENTRY';

const EXITS: NumberNames = {
  nameOf(value) {
    const reason = EXIT_NAMES[value & EXIT_REASON.BASIC];
    return value < EXIT_REASON.ENTRY_FAILED || reason === undefined ? reason : `${reason}|${FAILED_ENTRY}`;
  },
  numbers: new Map([...named(EXIT_NAMES).numbers, [FAILED_ENTRY, EXIT_REASON.ENTRY_FAILED]]),
};

const X2APIC = Object.entries(APIC_REGISTERS).map(([offset, name]): [string, number] => [
  `X2${name}`,
  MSR.X2APIC + (Number(offset) >> 4),
]);

const MSRS: NumberNames = {
  nameOf: (value) => msrName(value) ?? X2APIC.find(([, index]) => index === value)?.[0],
  numbers: new Map([...NAMED_MSRS, ...X2APIC]),
};

const USER_SPACE = named(KVM_EXIT_REASONS);
const FAULTS = named(EXCEPTIONS);
const STATES = named(MP_STATES);

type NamedFields = {
  readonly [K in EventKind]?: { readonly [F in keyof EventOf<K>]?: NumberNames };
};

/** To name a field's numbers, add its row. */
const NAMED_FIELDS: NamedFields = {
  kvm_exit: { exit_reason: EXITS },
  'sim:emulation_exited': { exit_reason: EXITS },
  kvm_userspace_exit: { reason: USER_SPACE },
  kvm_run_exit: { reason: USER_SPACE },
  kvm_inj_exception: { exception: FAULTS },
  'sim:exception_queued': { vector: FAULTS },
  'sim:task_switched': { vector: FAULTS },
  'sim:run_debug': { exception: FAULTS },
  kvm_msr: { ecx: MSRS },
  'sim:msr_set': { index: MSRS },
  'sim:run_msr': { index: MSRS },
  kvm_apic: { reg: named(APIC_REGISTERS) },
  kvm_apic_accept_irq: { dm: named(DELIVERY_MODES, 1 << 8) },
  kvm_ack_irq: { irqchip: named(IRQCHIPS) },
  kvm_track_tsc: { host_clock: named(HOST_CLOCKS) },
  kvm_update_master_clock: { host_clock: named(HOST_CLOCKS) },
  kvm_emulate_insn: { flags: named(DECODE_MODES) },
  'sim:mp_state': { mp_state: STATES },
  'sim:init': { mp_state: STATES },
  'ioctl:KVM_SET_MP_STATE': { mp_state: STATES },
};

const ROWS = NAMED_FIELDS as Readonly<Record<string, Readonly<Record<string, NumberNames>> | undefined>>;

/** Names of a field's values, where they have any. */
export const namesOf = (kind: string, field: string): NumberNames | undefined => ROWS[kind]?.[field];

/** Every field whose values have names, by kind. */
export const NAMED: readonly (readonly [kind: string, field: string, names: NumberNames])[] = Object.entries(
  ROWS,
).flatMap(([kind, fields]) => Object.entries(fields ?? {}).map(([field, names]) => [kind, field, names] as const));

/** The name of an MSR, or its number. */
export const msrText = (index: number): string => MSRS.nameOf(index) ?? `0x${index.toString(16)}`;

/** The number of an MSR by name. */
export const msrNamed = (name: string): number | undefined => MSRS.numbers.get(name);
