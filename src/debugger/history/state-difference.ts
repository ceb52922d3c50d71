import { takeCheckpoint } from '../../machine/checkpoint.ts';
import { eachDifference, PAGE_SIZE, type PageImage } from '../../memory/pages.ts';
import type { MachineState } from '../../reducers/state.ts';
import { type GuestView, gpasOf, registersOf, vcpuCount } from '../../machine/guest-view.ts';
import { SEGMENT_NAMES } from '../../x86/registers.ts';
import { GPR_NAMES } from '../../x86/guest.ts';

/** Everything that can be compared of a machine at a mark. */
export interface Snapshot {
  readonly state: object;
  readonly registers: object;
  readonly pages: PageImage;
}

/** A field that has another value, as a path like `kvm.vcpus.0.exits`. */
export interface FieldDifference {
  readonly path: string;
  readonly left: unknown;
  readonly right: unknown;
}

/** Keep what the machine is now. */
export function snapshotOf(view: GuestView): Snapshot {
  const { state, pages } = takeCheckpoint(view.machine);
  const registers = Array.from({ length: vcpuCount(view) }, (_, vcpu) => plainRegisters(view, vcpu));
  return { state, registers: { registers }, pages };
}

function plainRegisters(view: GuestView, vcpu: number): object {
  const registers = registersOf(view, vcpu);
  const { rip, rflags, cr0, cr2, cr3, cr4, cr8, efer, xcr0, gdtr, idtr, interruptibility, activity } = registers;
  return {
    ...Object.fromEntries(GPR_NAMES.map((name, index) => [name, registers.gpr(index)])),
    ...{ rip, rflags, cr0, cr2, cr3, cr4, cr8, efer, xcr0, interruptibility, activity },
    gdtr: { ...gdtr },
    idtr: { ...idtr },
    ...Object.fromEntries(SEGMENT_NAMES.map((name, index) => [name, { ...registers.segment(index) }])),
  };
}

/** Every field in which two machines differ. */
export function fieldDifferences(left: Snapshot, right: Snapshot): FieldDifference[] {
  const found: FieldDifference[] = [];
  collect(left.registers, right.registers, '', found);
  collect(left.state, right.state, '', found);
  return found;
}

/** Every field in which two states differ, but for the place they are at. */
export function stateDifferences(left: MachineState, right: MachineState): FieldDifference[] {
  const found: FieldDifference[] = [];
  collect({ ...left, at: undefined }, { ...right, at: undefined }, '', found);
  return found;
}

const isContainer = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function collect(left: unknown, right: unknown, path: string, found: FieldDifference[]): void {
  if (Object.is(left, right)) return;
  if (!isContainer(left) || !isContainer(right)) {
    found.push({ path, left, right });
    return;
  }
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    collect(left[key], right[key], path === '' ? key : `${path}.${key}`, found);
  }
}

/** Guest-physical pages whose bytes differ. Host memory is the first region. */
export function pageDifferences(view: GuestView, left: Snapshot, right: Snapshot): number[] {
  const found: number[] = [];
  eachDifference(left.pages[0] ?? [], right.pages[0], (page, before, after) => {
    const isSame = after !== undefined && before.every((byte, at) => byte === after[at]);
    if (!isSame) found.push(...gpasOf(view, page * PAGE_SIZE));
  });
  return [...new Set(found)].sort((a, b) => a - b);
}

/** A field's value as a person reads it. */
export function printed(value: unknown): string {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (isContainer(value)) {
    return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `0x${each.toString(16)}` : each)).slice(
      0,
      80,
    );
  }
  return value === undefined ? 'nothing' : String(value);
}
