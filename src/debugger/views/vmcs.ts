import { loadedVmcs } from '../../kvm/vmcs/controls.ts';
import { type ControlField, KEPT } from '../../kvm/vmcs/fields.ts';
import { GUEST_STATE } from '../../kvm/vmcs/guest-state.ts';
import { HOST_STATE } from '../../kvm/vmcs/host-state.ts';
import { type FieldName, FIELDS } from '../../x86/vmcs-fields.ts';
import { EPT_LARGE, EPT_READ, eptAddress, eptWord } from '../../memory/ept-pool.ts';
import { type GuestView, registersOf } from '../../machine/guest-view.ts';
import { PTE_FRAME } from '../../x86/paging.ts';

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const row = (name: string, value: number | bigint): string => `  ${name.padEnd(28)} ${hex(value)}`;

/** The VMCS of one processor by the SDM's names: what KVM wrote, and the guest's state as an exit would save it. */
export function describeVmcs(view: GuestView, vcpu: number): string {
  const state = view.machine.state.kvm.vcpus[vcpu];
  if (state === undefined) return `There is no VMCS for processor ${vcpu}.`;
  const vmcs = loadedVmcs(state);
  const controls = (Object.entries(KEPT) as [ControlField, FieldName][])
    .sort(([, a], [, b]) => FIELDS[a].encoding - FIELDS[b].encoding)
    .map(([kept, name]) => row(name, vmcs[kept]));
  const registers = registersOf(view, vcpu);
  const guest = [...GUEST_STATE].map(([name, read]) => row(name, read(registers)));
  const host = Object.entries(HOST_STATE).map(([name, value]) => row(name, value));
  return ['controls', ...controls, 'guest state', ...guest, 'host state', ...host].join('\n');
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
  const state = view.machine.state.kvm.vcpus[vcpu];
  const root = Number((state === undefined ? 0n : loadedVmcs(state).eptPointer) & PTE_FRAME);
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
