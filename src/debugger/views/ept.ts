import { loadedVmcs } from '../../kvm/vmcs/controls.ts';
import { Problem } from '../../base/problem.ts';
import type { Gpa, Hpa, Hva } from '../../base/units.ts';
import {
  EPT_EXECUTE,
  EPT_LARGE,
  EPT_READ,
  EPT_WRITE,
  eptAddress,
  eptEntry,
  eptIndex,
  eptWord,
} from '../../memory/ept-pool.ts';
import { hostVirtual } from '../../memory/host-physical.ts';
import { type GuestView, hvaOf } from '../../machine/guest-view.ts';
import { evaluate } from '../look/vantage.ts';
import { viewOf } from './view.ts';
import { PTE_FRAME } from '../../x86/paging.ts';

const LINES_MAX = 200;
/** SDM Vol. 3, 4.1.4: MAXPHYADDR is at most 52. */
const PHYSICAL_END = 1n << 52n;

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** Where a processor's extended page tables begin; 0: it has none. */
function rootOf({ machine }: GuestView, vcpu: number): number {
  const state = machine.state.kvm.vcpus[vcpu];
  return Number((state === undefined ? 0n : loadedVmcs(state).eptPointer) & PTE_FRAME);
}

/** One entry of extended page tables that took part in a translation. SDM Vol. 3, 29.3.2. */
interface EptStep {
  readonly level: number;
  readonly table: number;
  readonly index: number;
  readonly entry: bigint;
}

/** How extended page tables lead from a guest-physical address to a host frame. */
export interface EptWalk {
  readonly steps: readonly EptStep[];
  /** Undefined: the walk ends at an entry that is not present, or there is no EPT. */
  readonly hpa: Hpa | undefined;
  /** Host-virtual address of the page; without a mapping, where its memory slot has it. */
  readonly hva: Hva | undefined;
}

/** Walk the extended page tables of a processor. */
export function walkEpt(view: GuestView, vcpu: number, gpa: Gpa): EptWalk {
  const { eptWords } = view.machine.engine;
  let table = rootOf(view, vcpu);
  const steps: EptStep[] = [];
  for (let level = 4; level >= 1 && table !== 0; level -= 1) {
    const index = eptIndex(gpa, level);
    const word = eptWord(table, index);
    const [low, high] = [eptWords[word] as number, eptWords[word + 1] as number];
    steps.push({ level, table, index, entry: eptEntry(low, high) });
    if ((low & (EPT_READ | EPT_WRITE | EPT_EXECUTE)) === 0 || (low & EPT_READ) === 0) break;
    const span = 2 ** (3 + 9 * level);
    if (level === 1 || (low & EPT_LARGE) !== 0) {
      const frame = eptAddress(low, high);
      const hpa = frame - (frame % span) + (gpa % span);
      return { steps, hpa, hva: hostVirtual(hpa) };
    }
    table = eptAddress(low, high);
  }
  return { steps, hpa: undefined, hva: hvaOf(view, gpa) };
}

const accessText = (entry: bigint): string =>
  [EPT_READ, EPT_WRITE, EPT_EXECUTE].map((bit, at) => (entry & BigInt(bit) ? 'rwx'[at] : '-')).join('');

/** The walk from a guest-physical address to host memory, a line each. */
export function eptWalkText({ steps, hpa, hva }: EptWalk): string[] {
  const lines = steps.map(
    ({ level, table, index, entry }) =>
      `  EPT level ${level}: table ${hex(table)} entry ${index} = ${hex(entry)} ${accessText(entry)}`,
  );
  if (hpa !== undefined) return [...lines, `host-physical ${hex(hpa)}, host-virtual ${hex(hva ?? 0)}`];
  const slot = hva === undefined ? 'no memory slot: an access is MMIO' : `its slot has host-virtual ${hex(hva)}`;
  return [...lines, `  not mapped by EPT; ${slot}`];
}

/** A run of guest-physical addresses extended page tables map in one piece. */
interface EptRange {
  readonly gpa: Gpa;
  size: number;
  readonly hpa: Hpa;
  readonly access: string;
}

/** What a processor's extended page tables map, neighbours joined. */
interface EptMap {
  readonly root: number;
  readonly ranges: readonly EptRange[];
}

function eptMap(view: GuestView, vcpu: number): EptMap {
  const root = rootOf(view, vcpu);
  const ranges: EptRange[] = [];
  if (root !== 0) collect(view.machine.engine.eptWords, root, 4, 0, ranges);
  return { root, ranges };
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
    const access = accessText(BigInt(low));
    const hpa = eptAddress(low, high);
    const last = ranges[ranges.length - 1];
    const isNext = last !== undefined && last.gpa + last.size === gpa && last.hpa + last.size === hpa;
    if (isNext && last.access === access) last.size += span;
    else ranges.push({ gpa, size: span, hpa, access });
  }
}

function eptMapText({ root, ranges }: EptMap): string {
  if (root === 0) return 'There are no extended page tables.';
  const lines = ranges.map(
    ({ gpa, size, hpa, access }) => `${hex(gpa)}-${hex(gpa + size - 1)} -> host-physical ${hex(hpa)} ${access}`,
  );
  const rest = lines.length - LINES_MAX;
  return [`root ${hex(root)}`, ...lines.slice(0, LINES_MAX), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n');
}

function physicalAddress(address: bigint): Gpa {
  if (address < PHYSICAL_END) return Number(address);
  throw new Problem(`0x${address.toString(16)} is no physical address: they have 52 bits.`);
}

export const EPT = viewOf<EptMap | EptWalk>({
  usage: 'ept [GPA]',
  help: 'extended page tables, whole or for one address',
  look: (from, words) =>
    words === '' ? eptMap(from.view, from.vcpu) : walkEpt(from.view, from.vcpu, physicalAddress(evaluate(from, words))),
  print: (seen) => ('ranges' in seen ? eptMapText(seen) : eptWalkText(seen).join('\n')),
});
