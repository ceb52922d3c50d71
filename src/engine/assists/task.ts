import type { TaskSwitch, TaskSwitched } from '../../x86/guest.ts';
import { GuestExit, GuestFault, MmioNeeded, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { accessOf, baseOf, checkSegment, type Descriptor, limitOf, readDescriptor, setBusy } from './descriptor.ts';
import { push } from './operand.ts';
import { loadPointers } from './control-registers.ts';
import { ACCESS, DATA_SEGMENTS, DR7, RFLAGS, SEG } from '../../x86/registers.ts';

/** Who asks for the switch: exit qualification bits 31:30. SDM Vol. 3, Table 28-2. */
const TASK_SOURCE = { call: 0, iret: 1, jump: 2, gate: 3 } as const;

const { ALL, FIXED, NT, VM } = RFLAGS;
const SEGMENT_ORDER = [SEG.ES, SEG.CS, SEG.SS, SEG.DS, SEG.FS, SEG.GS] as const;

/** Where a TSS keeps what; offsets in bytes. SDM Vol. 3, Figures 8-2 and 8-10. */
interface TaskLayout {
  readonly word: 2 | 4;
  readonly ip: number;
  readonly flags: number;
  readonly registers: number;
  readonly segments: number;
  readonly ldt: number;
  readonly cr3?: number;
  readonly length: number;
}

const TSS32: TaskLayout = {
  word: 4,
  ip: 0x20,
  flags: 0x24,
  registers: 0x28,
  segments: 0x48,
  ldt: 0x60,
  cr3: 0x1c,
  length: 104,
};
const TSS16: TaskLayout = { word: 2, ip: 14, flags: 16, registers: 18, segments: 34, ldt: 42, length: 44 };

/** Task switch, SDM Vol. 3, 8.3, as KVM does it on a task-switch exit. rip is already past the instruction. */
export function switchTask(p: Core, task: TaskSwitch): TaskSwitched {
  const progress = { saved: false };
  try {
    performSwitch(p, task, progress);
    return { then: 'done', vector: 0, errorCode: 0, address: 0n };
  } catch (thrown) {
    if (thrown instanceof GuestFault) {
      const then = progress.saved ? 'fault in the new task' : 'fault in the old task';
      return {
        then,
        vector: thrown.vector,
        errorCode: thrown.error,
        address: thrown.vector === VECTOR.PF ? p.events.faultAddress : 0n,
      };
    }
    if (thrown instanceof GuestExit || thrown instanceof MmioNeeded) {
      return { then: 'failed', vector: 0, errorCode: 0, address: 0n };
    }
    throw thrown;
  }
}

function performSwitch(p: Core, { selector, source, errorCode }: TaskSwitch, progress: { saved: boolean }): void {
  const error = selector & 0xfffc;
  const target = readDescriptor(p, selector, source === TASK_SOURCE.iret ? VECTOR.TS : VECTOR.GP);
  const busy = (target.type & 2) !== 0;
  const isTask = !target.isSegment && (target.type & ~0xa) === 1;
  if (!isTask || busy !== (source === TASK_SOURCE.iret))
    throw new GuestFault(source === TASK_SOURCE.iret ? VECTOR.TS : VECTOR.GP, error);
  if (!target.present) throw new GuestFault(VECTOR.NP, error);
  const to = (target.type & 8) !== 0 ? TSS32 : TSS16;
  if (limitOf(target) < to.length - 1) throw new GuestFault(VECTOR.TS, error);
  const oldSelector = p.state.selector(SEG.TR);
  const nested = source === TASK_SOURCE.call || source === TASK_SOURCE.gate;
  if (!nested) setBusy(p, readDescriptor(p, oldSelector), false);
  p.asSystem(() => saveTask(p, source === TASK_SOURCE.iret));
  progress.saved = true;
  if (source !== TASK_SOURCE.iret) setBusy(p, target, true);
  p.asSystem(() => loadTask(p, { selector, target, to, nested, oldSelector }));
  if (errorCode !== undefined) push(p, BigInt(errorCode), to.word);
}

const layoutOf = (access: number): TaskLayout => ((access & 8) !== 0 ? TSS32 : TSS16);

function saveTask(p: Core, fromIret: boolean): void {
  const { state } = p;
  const at = layoutOf(state.access(SEG.TR));
  const base = state.base(SEG.TR);
  const put = (offset: number, value: bigint): void => p.writeValue(base + BigInt(offset), at.word, value);
  put(at.ip, state.rip);
  put(at.flags, BigInt(fromIret ? state.rflags & ~NT : state.rflags));
  for (let i = 0; i < 8; i++) put(at.registers + i * at.word, state.gpr(i));
  const count = at.word === 4 ? 6 : 4;
  for (let i = 0; i < count; i++) p.writeValue(base + BigInt(at.segments + i * at.word), 2, BigInt(state.selector(i)));
}

function loadTask(
  p: Core,
  how: { selector: number; target: Descriptor; to: TaskLayout; nested: boolean; oldSelector: number },
): void {
  const { state, memory } = p;
  const { to, target } = how;
  const base = baseOf(target);
  const get = (offset: number): bigint => p.readValue(base + BigInt(offset), to.word);
  if (how.nested) p.writeValue(base, 2, BigInt(how.oldSelector));
  const registers = Array.from({ length: 8 }, (_, i) => get(to.registers + i * to.word));
  const selectors = SEGMENT_ORDER.map((i) =>
    to.word === 2 && i > 3 ? 0 : Number(p.readValue(base + BigInt(to.segments + i * to.word), 2)),
  );
  const ldt = Number(p.readValue(base + BigInt(to.ldt), 2));
  const ip = get(to.ip);
  const flags = Number(get(to.flags));
  const cr3 = to.cr3 === undefined ? undefined : get(to.cr3);
  state.setSegment(SEG.TR, how.selector, base, limitOf(target), accessOf(target) | 2);
  memory.write64(L.CR0, memory.read64(L.CR0) | 8n);
  if (cr3 !== undefined && p.mmu.mode.paging) {
    if (p.mmu.mode.pae) loadPointers(p, cr3);
    memory.write64(L.CR3, cr3);
  }
  state.rip = ip;
  state.rflags = (flags & ALL) | FIXED | (how.nested ? NT : 0);
  registers.forEach((value, i) => {
    state.setGpr(i, to.word === 2 ? value | 0xffff0000n : value);
  });
  p.refresh();
  loadTables(p, ldt, selectors, (flags & VM) !== 0);
  memory.write32(L.DR7, memory.read32(L.DR7) & ~DR7.LOCAL_ENABLES);
}

function loadTables(p: Core, ldt: number, selectors: readonly number[], virtual8086: boolean): void {
  const { state } = p;
  state.setSegment(SEG.LDTR, ldt, 0n, 0, ACCESS.UNUSABLE);
  if ((ldt & 0xfffc) !== 0) {
    const d = readDescriptor(p, ldt, VECTOR.TS);
    if (d.isSegment || d.type !== 2 || !d.present) throw new GuestFault(VECTOR.TS, ldt & 0xfffc);
    state.setSegment(SEG.LDTR, ldt, baseOf(d), limitOf(d), accessOf(d));
  }
  if (virtual8086) {
    selectors.forEach((s, i) => {
      state.setSegment(i, s, BigInt(s << 4), 0xffff, 0xf3);
    });
    state.cpl = 3;
    p.refresh();
    return;
  }
  const cs = selectors[SEG.CS] as number;
  const cpl = cs & 3;
  const code = readDescriptor(p, cs, VECTOR.TS);
  if (!code.isSegment || (code.type & ACCESS.CODE) === 0) throw new GuestFault(VECTOR.TS, cs & 0xfffc);
  if (!code.present) throw new GuestFault(VECTOR.NP, cs & 0xfffc);
  state.setSegment(SEG.CS, cs, baseOf(code), limitOf(code), accessOf(code) | ACCESS.ACCESSED);
  state.cpl = cpl;
  for (const i of [SEG.SS, ...DATA_SEGMENTS]) {
    const s = selectors[i] as number;
    const loaded = checkSegment(p, i, s, cpl, VECTOR.TS);
    state.setSegment(i, s, loaded.base, loaded.limit, loaded.access);
  }
  p.refresh();
}
