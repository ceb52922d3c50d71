import { Problem } from '../base/problem.ts';
import type { Registers } from '../kvm/guest.ts';
import { REQ_EVENT } from '../kvm/context.ts';
import type { KvmState } from '../kvm/state.ts';
import { adoptStates, type MachineContext } from './context.ts';

/** What a person changes in a machine that stands still. `sim:intervened` keeps it as JSON. */
export type Intervention =
  | { readonly what: 'register'; readonly vcpu: number; readonly name: string; readonly value: string }
  /** Bytes of the XSAVE area: x87 and SSE registers; `bytes` in hexadecimal. */
  | { readonly what: 'xsave'; readonly vcpu: number; readonly offset: number; readonly bytes: string }
  /** Guest-physical memory; `bytes` in hexadecimal. */
  | { readonly what: 'memory'; readonly gpa: number; readonly bytes: string }
  /** A vector of a local APIC's IRR: taken away, or requested. */
  | { readonly what: 'interrupt'; readonly vcpu: number; readonly vector: number; readonly pending: boolean }
  /** A field of the plain state, by path. */
  | { readonly what: 'state'; readonly path: string; readonly value: string };

/** General registers in hardware encoding order. */
export const GPR_NAMES = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');

const OTHER_REGISTERS = ['rip', 'rflags', 'cr0', 'cr2', 'cr3', 'cr4', 'efer'] as const;

/** Segment bases that are MSRs. SDM Vol. 4, table 2-2. */
const BASES: Readonly<Record<string, number>> = { fs_base: 0xc0000100, gs_base: 0xc0000101, k_gs_base: 0xc0000102 };

/** The intervention as an input to record. */
export const interventionEvent = ({ what, ...rest }: Intervention) =>
  ({ kind: 'sim:intervened', what, value: JSON.stringify(rest) }) as const;

/** Change the machine as a person asked. No VM entry is open. */
export function intervene(context: MachineContext, what: string, value: string): void {
  const intervention = { what, ...(JSON.parse(value) as object) } as Intervention;
  switch (intervention.what) {
    case 'register':
      setRegister(context, intervention.vcpu, intervention.name, BigInt(intervention.value));
      return;
    case 'xsave':
      setXsave(context, intervention.vcpu, intervention.offset, intervention.bytes);
      return;
    case 'memory':
      setMemory(context, intervention.gpa, intervention.bytes);
      return;
    case 'interrupt':
      setInterrupt(context, intervention.vcpu, intervention.vector, intervention.pending);
      return;
    case 'state':
      setField(context, intervention.path, intervention.value);
      return;
    default:
      throw new Problem(`The trace holds an intervention this version does not know: ${what}.`);
  }
}

const kvmOf = (context: MachineContext): KvmState => context.kvm.state as KvmState;

function vcpuOf(context: MachineContext, index: number) {
  const vcpu = kvmOf(context).vcpus[index];
  if (vcpu === undefined) throw new Problem(`There is no vCPU ${index} to change.`);
  return vcpu;
}

function setRegister(context: MachineContext, index: number, name: string, value: bigint): void {
  const vcpu = vcpuOf(context, index);
  const registers: Registers = context.engine.registers(index);
  const gpr = GPR_NAMES.indexOf(name);
  const other = OTHER_REGISTERS.find((each) => each === name);
  if (gpr >= 0) registers.setGpr(gpr, BigInt.asUintN(64, value));
  else if (other !== undefined) registers[other] = BigInt.asUintN(64, value);
  else if (BASES[name] !== undefined) registers.setMsr(BASES[name], BigInt.asUintN(64, value));
  else throw new Problem(`No register is named ${name}.`);
  vcpu.at.stale = true;
}

const XSTATE_BV = 512;
const X87_SSE = 3;

/** SDM Vol. 1, 13.4: a component is loaded when XSTATE_BV says that the area holds it. */
function setXsave(context: MachineContext, index: number, offset: number, hex: string): void {
  vcpuOf(context, index).at.stale = true;
  const registers = context.engine.registers(index);
  const area = registers.xsave().slice();
  area.set(bytesOf(hex), offset);
  area[XSTATE_BV] = (area[XSTATE_BV] as number) | X87_SSE;
  registers.setXsave(area);
}

const PAGE = 4096;

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function setMemory(context: MachineContext, gpa: number, hex: string): void {
  const bytes = bytesOf(hex);
  const gfn = Math.floor(gpa / PAGE);
  const slot = kvmOf(context).vm?.slots.find((each) => gfn >= each.baseGfn && gfn < each.baseGfn + each.npages);
  const offset = slot === undefined ? 0 : gpa - slot.baseGfn * PAGE;
  if (slot === undefined || offset + bytes.length > slot.npages * PAGE) {
    throw new Problem(`There is no guest memory at 0x${gpa.toString(16)}.`);
  }
  context.engine.writeHost(slot.hva + offset, bytes);
}

/** SDM Vol. 3, 11.8.4: the interrupt request register holds what was accepted and not yet taken. */
function setInterrupt(context: MachineContext, index: number, vector: number, pending: boolean): void {
  const vcpu = vcpuOf(context, index);
  const lapic = kvmOf(context).vm?.irqchip?.lapics[index];
  if (lapic === undefined) throw new Problem('There is no local APIC to change.');
  const bit = 1 << (vector & 31);
  const word = lapic.irr[vector >> 5] as number;
  if (!pending && (word & bit) === 0) throw new Problem(`Vector ${vector} is not requested here: nothing to drop.`);
  lapic.irr[vector >> 5] = pending ? word | bit : word & ~bit;
  vcpu.requests |= REQ_EVENT;
}

function setField(context: MachineContext, path: string, json: string): void {
  adoptStates(context);
  const keys = path.split('.');
  const last = keys.pop() as string;
  let owner: unknown = context.state;
  for (const key of keys) owner = isObject(owner) ? owner[key] : undefined;
  if (!isObject(owner) || owner[last] === undefined) throw new Problem(`The state has no field ${path}.`);
  const before = owner[last];
  owner[last] = typeof before === 'bigint' ? BigInt(json) : (JSON.parse(json) as unknown);
  if (typeof owner[last] !== typeof before) throw new Problem(`${path} is a ${typeof before}, and ${json} is not.`);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
