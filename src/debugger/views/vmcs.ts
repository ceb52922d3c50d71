import { type ControlField, ENCODINGS } from '../../kvm/vmcs/fields.ts';
import { HOST_STATE } from '../../kvm/vmcs/host-state.ts';
import type { Registers } from '../../x86/guest.ts';
import { EPT_LARGE, EPT_READ, eptAddress, eptWord } from '../../memory/ept-pool.ts';
import { type GuestView, registersOf } from '../../machine/guest-view.ts';
import { PTE_FRAME } from '../../x86/paging.ts';
import { SEGMENT_NAMES } from '../../x86/registers.ts';

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const row = (name: string, value: number | bigint): string => `  ${name.padEnd(28)} ${hex(value)}`;

const SEGMENTS = SEGMENT_NAMES.map((name) => name.toUpperCase());

/** The VMCS of one processor by the SDM's names: what KVM wrote, and the guest's state as an exit would save it. */
export function describeVmcs(view: GuestView, vcpu: number): string {
  const state = view.machine.state.kvm.vcpus[vcpu];
  if (state === undefined) return `There is no VMCS for processor ${vcpu}.`;
  const controls = (Object.keys(ENCODINGS) as ControlField[])
    .sort((a, b) => ENCODINGS[a].encoding - ENCODINGS[b].encoding)
    .map((name) => row(ENCODINGS[name].name, state.vmcs[name]));
  const host = Object.entries(HOST_STATE).map(([name, value]) => row(`HOST_${constantCase(name)}`, value));
  return ['controls', ...controls, 'guest state', ...guestRows(registersOf(view, vcpu)), 'host state', ...host].join(
    '\n',
  );
}

const constantCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

function guestRows(registers: Registers): string[] {
  const rows: [string, number | bigint][] = [
    ['GUEST_RIP', registers.rip],
    ['GUEST_RSP', registers.gpr(4)],
    ['GUEST_RFLAGS', registers.rflags],
    ['GUEST_CR0', registers.cr0],
    ['GUEST_CR3', registers.cr3],
    ['GUEST_CR4', registers.cr4],
    ['GUEST_IA32_EFER', registers.efer],
    ['GUEST_DR7', registers.dr(7)],
    ['GUEST_INTERRUPTIBILITY_INFO', registers.interruptibility],
    ['GUEST_ACTIVITY_STATE', registers.activity],
    ['GUEST_GDTR_BASE', registers.gdtr.base],
    ['GUEST_GDTR_LIMIT', registers.gdtr.limit],
    ['GUEST_IDTR_BASE', registers.idtr.base],
    ['GUEST_IDTR_LIMIT', registers.idtr.limit],
  ];
  for (const [index, name] of SEGMENTS.entries()) {
    const { selector, base, limit, access } = registers.segment(index);
    rows.push([`GUEST_${name}_SELECTOR`, selector], [`GUEST_${name}_BASE`, base]);
    rows.push([`GUEST_${name}_LIMIT`, limit], [`GUEST_${name}_AR_BYTES`, access]);
  }
  return rows.map(([name, value]) => row(name, value));
}

const LINES_MAX = 200;

/** A run of guest-physical addresses extended page tables map in one piece. */
interface EptRange {
  readonly gpa: number;
  size: number;
  readonly hpa: number;
  readonly access: string;
}

/** What a processor's extended page tables map, neighbours joined. */
export function describeEpt(view: GuestView, vcpu: number): string {
  const root = Number((view.machine.state.kvm.vcpus[vcpu]?.vmcs.eptPointer ?? 0n) & PTE_FRAME);
  if (root === 0) return 'There are no extended page tables.';
  const ranges: EptRange[] = [];
  collect(view.machine.engine.eptWords, root, 4, 0, ranges);
  const lines = ranges.map(
    ({ gpa, size, hpa, access }) => `${hex(gpa)}-${hex(gpa + size - 1)} -> host-physical ${hex(hpa)} ${access}`,
  );
  const rest = lines.length - LINES_MAX;
  return [`root ${hex(root)}`, ...lines.slice(0, LINES_MAX), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n');
}

function collect(words: Uint32Array, table: number, level: number, base: number, ranges: EptRange[]): void {
  const span = 2 ** (3 + 9 * level);
  for (let index = 0; index < 512; index += 1) {
    const word = eptWord(table, index);
    const [low, high] = [words[word] as number, words[word + 1] as number];
    if ((low & EPT_READ) === 0) continue;
    const gpa = base + index * span;
    if (level > 1 && (low & EPT_LARGE) === 0) {
      collect(words, eptAddress(low, high), level - 1, gpa, ranges);
      continue;
    }
    const access = ['r', 'w', 'x'].map((letter, bit) => ((low >>> bit) & 1 ? letter : '-')).join('');
    const hpa = eptAddress(low, high);
    const last = ranges[ranges.length - 1];
    const isNext = last !== undefined && last.gpa + last.size === gpa && last.hpa + last.size === hpa;
    if (isNext && last.access === access) last.size += span;
    else ranges.push({ gpa, size: span, hpa, access });
  }
}
