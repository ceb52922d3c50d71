import { loadedVmcs } from '../../kvm/vmcs/controls.ts';
import {
  EPT_LARGE,
  EPT_READ,
  EPT_WRITE,
  EPT_EXECUTE,
  eptAddress,
  eptEntry,
  eptIndex,
  eptWord,
} from '../../memory/ept-pool.ts';
import { hostVirtual } from '../../memory/host-physical.ts';
import { type GuestView, hvaOf, isPaging, registersOf, walkLinear } from '../../machine/guest-view.ts';
import { PTE_FRAME } from '../../x86/paging.ts';

/** One entry of extended page tables that took part in a translation. SDM Vol. 3, 29.3.2. */
export interface EptStep {
  readonly level: number;
  readonly table: number;
  readonly index: number;
  readonly entry: bigint;
}

/** How extended page tables lead from a guest-physical address to a host frame. */
export interface EptWalk {
  readonly steps: readonly EptStep[];
  /** Undefined: the walk ends at an entry that is not present, or there is no EPT. */
  readonly hpa: number | undefined;
}

/** Walk the extended page tables of a processor. */
export function walkEpt(view: GuestView, vcpu: number, gpa: number): EptWalk {
  const { eptWords } = view.machine.engine;
  const state = view.machine.state.kvm.vcpus[vcpu];
  let table = Number((state === undefined ? 0n : loadedVmcs(state).eptPointer) & PTE_FRAME);
  const steps: EptStep[] = [];
  if (table === 0) return { steps, hpa: undefined };
  for (let level = 4; level >= 1; level -= 1) {
    const index = eptIndex(gpa, level);
    const word = eptWord(table, index);
    const [low, high] = [eptWords[word] as number, eptWords[word + 1] as number];
    steps.push({ level, table, index, entry: eptEntry(low, high) });
    if ((low & (EPT_READ | EPT_WRITE | EPT_EXECUTE)) === 0 || (low & EPT_READ) === 0) break;
    const span = 2 ** (3 + 9 * level);
    if (level === 1 || (low & EPT_LARGE) !== 0) {
      const frame = eptAddress(low, high);
      return { steps, hpa: frame - (frame % span) + (gpa % span) };
    }
    table = eptAddress(low, high);
  }
  return { steps, hpa: undefined };
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** Every entry that leads from a linear address to host memory, a line each. */
export function describeTranslation(view: GuestView, vcpu: number, linear: bigint): string {
  const registers = registersOf(view, vcpu);
  const translated = walkLinear(view, vcpu, linear);
  const lines = [`linear ${hex(BigInt.asUintN(64, linear))}`];
  if (!isPaging(registers)) lines.push('  paging is off: CR0.PG = 0');
  else lines.push(`  CR3 ${hex(registers.cr3)}`, ...guestEntries(translated?.entries ?? []));
  if (translated === undefined) return [...lines, '  not mapped by the guest'].join('\n');
  lines.push(`guest-physical ${hex(translated.gpa)}`);
  return [...lines, ...describeEptWalk(view, vcpu, translated.gpa)].join('\n');
}

const GUEST_LEVELS = ['PML5E', 'PML4E', 'PDPTE', 'PDE', 'PTE'] as const;

function guestEntries(entries: readonly bigint[]): string[] {
  const first = entries.length === 5 ? 0 : 1;
  const isTwoLevel = entries.length === 2 && entries.every((entry) => entry < 2n ** 32n);
  return entries.map((entry, at) => {
    const name = isTwoLevel ? (at === 0 ? 'PDE' : 'PTE') : (GUEST_LEVELS[first + at] ?? `level ${at}`);
    return `  ${name.padEnd(6)}${hex(entry)} ${guestBits(entry)}`;
  });
}

const BITS: readonly (readonly [bigint, string])[] = [
  [1n, 'P'],
  [2n, 'W'],
  [4n, 'U'],
  [8n, 'PWT'],
  [16n, 'PCD'],
  [32n, 'A'],
  [64n, 'D'],
  [128n, 'PS'],
  [256n, 'G'],
  [1n << 63n, 'XD'],
];

const guestBits = (entry: bigint): string =>
  BITS.flatMap(([bit, name]) => ((entry & bit) === 0n ? [] : [name])).join(' ');

/** The walk from a guest-physical address to host memory, a line each. */
export function describeEptWalk(view: GuestView, vcpu: number, gpa: number): string[] {
  const { steps, hpa } = walkEpt(view, vcpu, gpa);
  const lines = steps.map(({ level, table, index, entry }) => {
    const access = [EPT_READ, EPT_WRITE, EPT_EXECUTE]
      .map((bit, at) => (entry & BigInt(bit) ? 'rwx'[at] : '-'))
      .join('');
    return `  EPT level ${level}: table ${hex(table)} entry ${index} = ${hex(entry)} ${access}`;
  });
  if (hpa === undefined) {
    const hva = hvaOf(view, gpa);
    const slot = hva === undefined ? 'no memory slot: an access is MMIO' : `its slot has host-virtual ${hex(hva)}`;
    return [...lines, `  not mapped by EPT; ${slot}`];
  }
  return [...lines, `host-physical ${hex(hpa)}, host-virtual ${hex(hostVirtual(hpa))}`];
}
