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

const isContainer = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function collect(left: unknown, right: unknown, path: string, found: FieldDifference[]): void {
  if (Object.is(left, right)) return;
  if (!isContainer(left) || !isContainer(right)) {
    found.push({ path, left, right });
    return;
  }
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    collect(left[key], right[key], below(path, key), found);
  }
}

/** What is in one and not in the other, leaf by leaf: cut to a line, two of them would look the same. */
export function leavesOf({ path, left, right }: FieldDifference): FieldDifference[] {
  const whole = isContainer(left) ? left : isContainer(right) ? right : {};
  const keys = Object.keys(whole);
  if (keys.length === 0) return [{ path, left, right }];
  const leaf = (value: unknown, key: string): unknown => (isContainer(value) ? value[key] : undefined);
  return keys.flatMap((key) => leavesOf({ path: below(path, key), left: leaf(left, key), right: leaf(right, key) }));
}

const below = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

/** A copy of a part of the state, to be compared with what becomes of it. */
export const keptOf = (value: unknown): unknown => (isContainer(value) ? structuredClone(value) : value);

/** The leaves of a part of the state that are other than kept, under its path. What is kept becomes what they are. */
export function takeDifferences(kept: { value: unknown }, now: unknown, path: string): FieldDifference[] {
  const found: FieldDifference[] = [];
  if (isContainer(kept.value) && isContainer(now)) update(kept.value, now, path, found);
  else if (!Object.is(kept.value, now)) {
    found.push({ path, left: kept.value, right: now });
    kept.value = keptOf(now);
  }
  return found.flatMap(leavesOf);
}

/** Nothing is made for what is as it was: most events change one leaf of hundreds. */
function update(
  kept: Record<string, unknown>,
  now: Readonly<Record<string, unknown>>,
  path: string,
  found: FieldDifference[],
): void {
  for (const key in now) {
    const [before, after] = [kept[key], now[key]];
    if (Object.is(before, after)) continue;
    if (isContainer(before) && isContainer(after)) update(before, after, below(path, key), found);
    else {
      found.push({ path: below(path, key), left: before, right: after });
      kept[key] = keptOf(after);
    }
  }
  for (const key in kept) {
    if (key in now) continue;
    found.push({ path: below(path, key), left: kept[key], right: undefined });
    delete kept[key];
  }
  if (Array.isArray(kept)) kept.length = (now as unknown as unknown[]).length;
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

/** A field's value as a person reads it, whole. */
export function printed(value: unknown): string {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (isContainer(value)) {
    return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `0x${each.toString(16)}` : each));
  }
  return value === undefined ? 'nothing' : String(value);
}
