import { unreachable } from '../base/invariant.ts';
import { Problem, shortly } from '../base/problem.ts';
import type { Gpa, Hva } from '../base/units.ts';
import type { Origin } from '../events/origin.ts';
import { GPR_NAMES, type Registers } from '../x86/guest.ts';
import { fieldFrom, fieldOf, isAlike } from '../reducers/run.ts';
import { type MachineContext, refreshDerived } from './context.ts';
import { MSR } from '../x86/msrs.ts';

/** What a person changes in a machine that stands still. `sim:intervened` keeps it as JSON. */
export type Intervention =
  | { readonly what: 'register'; readonly vcpu: number; readonly name: string; readonly value: string }
  /** Bytes of the XSAVE area: x87 and SSE registers; `bytes` in hexadecimal. */
  | { readonly what: 'xsave'; readonly vcpu: number; readonly offset: number; readonly bytes: string }
  /** Guest-physical memory; `bytes` in hexadecimal. */
  | { readonly what: 'memory'; readonly gpa: Gpa; readonly bytes: string }
  /** A vector of a local APIC's IRR: taken away, or requested. */
  | { readonly what: 'interrupt'; readonly vcpu: number; readonly vector: number; readonly pending: boolean }
  /** A field of the plain state, by path. */
  | { readonly what: 'state'; readonly path: string; readonly value: string };

const OTHER_REGISTERS = ['rip', 'rflags', 'cr0', 'cr2', 'cr3', 'cr4', 'efer'] as const;

/** Segment bases that are MSRs. SDM Vol. 4, table 2-2. */
const BASES: Readonly<Record<string, number>> = {
  fs_base: MSR.FS_BASE,
  gs_base: MSR.GS_BASE,
  k_gs_base: MSR.KERNEL_GS_BASE,
};

/** The intervention as an input to record. */
export const interventionEvent = ({ what, ...rest }: Intervention) =>
  ({ kind: 'sim:intervened', what, value: JSON.stringify(rest) }) as const;

/** An intervention as it was recorded: fields of their types, whoever wrote them. */
function parsed(what: string, value: string): Intervention {
  const fields = FIELDS[what];
  if (fields === undefined) {
    throw new Problem(`The trace holds an intervention this version does not know: ${shortly(what)}.`);
  }
  const given = jsonOf(value);
  const wrong = Object.keys(fields).find((name) => !Object.hasOwn(given, name) || !fields[name]!(given[name]));
  if (wrong !== undefined) throw new Problem(`The intervention ${what} cannot be read: its ${wrong} is none.`);
  return { ...given, what } as Intervention;
}

function jsonOf(value: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(value)) as Readonly<Record<string, unknown>>;
  } catch {
    throw new Problem('An intervention cannot be read: it is not JSON.');
  }
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isPlace: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isHex: Check = (value) => typeof value === 'string' && /^([0-9a-f]{2})*$/i.test(value);
const isInteger: Check = (value) => typeof value === 'string' && /^(-?\d+|0x[0-9a-f]+)$/i.test(value);
const isVector: Check = (value) => isPlace(value) && (value as number) < 256;

/** The fields of each kind, and what they can be. */
const FIELDS: Readonly<Partial<Record<string, Readonly<Record<string, Check>>>>> = Object.assign(Object.create(null), {
  register: { vcpu: isPlace, name: isText, value: isInteger },
  xsave: { vcpu: isPlace, offset: isPlace, bytes: isHex },
  memory: { gpa: isPlace, bytes: isHex },
  interrupt: { vcpu: isPlace, vector: isVector, pending: (value: unknown) => typeof value === 'boolean' },
  state: { path: isText, value: isText },
});

/** Throw a Problem for what cannot be done here. */
export function checkIntervention(context: MachineContext, what: string, value: string): void {
  const intervention = parsed(what, value);
  switch (intervention.what) {
    case 'register':
      checkVcpu(context, intervention.vcpu);
      if (setterOf(intervention.name) === undefined)
        throw new Problem(`No register is named ${shortly(intervention.name)}.`);
      return;
    case 'xsave':
      checkVcpu(context, intervention.vcpu);
      if (intervention.offset + intervention.bytes.length / 2 > XSTATE_BV) {
        throw new Problem('The x87 and SSE registers end before that.');
      }
      return;
    case 'memory':
      hvaOf(context, intervention.gpa, intervention.bytes.length / 2);
      return;
    case 'interrupt':
      checkInterrupt(context, intervention.vcpu, intervention.vector, intervention.pending);
      return;
    case 'state':
      checkField(context, intervention.path, intervention.value);
      return;
    default:
      unreachable(intervention);
  }
}

/** Change the machine as a person asked. No VM entry is open. */
export function intervene(context: MachineContext, what: string, value: string, origin: Origin): void {
  const intervention = parsed(what, value);
  switch (intervention.what) {
    case 'register':
      setRegister(context, intervention.vcpu, intervention.name, BigInt(intervention.value));
      context.processor.look(intervention.vcpu, origin);
      return;
    case 'xsave':
      setXsave(context, intervention.vcpu, intervention.offset, intervention.bytes);
      return;
    case 'memory': {
      const bytes = bytesOf(intervention.bytes);
      context.engine.writeHost(hvaOf(context, intervention.gpa, bytes.length), bytes);
      return;
    }
    case 'interrupt': {
      const { vcpu, vector, pending } = intervention;
      origin.raise({ kind: 'sim:vector_set', vcpu_id: vcpu, vector, pending });
      return;
    }
    case 'state':
      origin.raise({ kind: 'sim:state_set', path: intervention.path, value: intervention.value });
      refreshDerived(context);
      return;
    default:
      unreachable(intervention);
  }
}

function checkVcpu({ state }: MachineContext, index: number): void {
  if (state.kvm.vcpus[index] === undefined) throw new Problem(`There is no vCPU ${index} to change.`);
}

type Setter = (registers: Registers, value: bigint) => void;

function setterOf(name: string): Setter | undefined {
  const gpr = (GPR_NAMES as readonly string[]).indexOf(name);
  const other = OTHER_REGISTERS.find((each) => each === name);
  const base = Object.hasOwn(BASES, name) ? BASES[name] : undefined;
  if (gpr >= 0) return (registers, value) => registers.setGpr(gpr, value);
  if (base !== undefined) return (registers, value) => void registers.setMsr(base, value);
  if (other === undefined) return undefined;
  return (registers, value) => {
    registers[other] = value;
  };
}

function setRegister({ engine }: MachineContext, index: number, name: string, value: bigint): void {
  setterOf(name)?.(engine.registers(index), BigInt.asUintN(64, value));
}

const XSTATE_BV = 512;
const X87_SSE = 3;

/** SDM Vol. 1, 13.4: a component is loaded when XSTATE_BV says that the area holds it. */
function setXsave({ engine }: MachineContext, index: number, offset: number, hex: string): void {
  const registers = engine.registers(index);
  const area = registers.xsave().slice();
  area.set(bytesOf(hex), offset);
  area[XSTATE_BV] = (area[XSTATE_BV] as number) | X87_SSE;
  registers.setXsave(area);
}

const PAGE = 4096;

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function hvaOf({ state }: MachineContext, gpa: Gpa, length: number): Hva {
  const gfn = Math.floor(gpa / PAGE);
  const slot = state.kvm.vm?.slots.find((each) => gfn >= each.baseGfn && gfn < each.baseGfn + each.npages);
  const offset = slot === undefined ? 0 : gpa - slot.baseGfn * PAGE;
  if (slot === undefined || offset + length > slot.npages * PAGE) {
    throw new Problem(`There is no guest memory at 0x${gpa.toString(16)}.`);
  }
  return slot.hva + offset;
}

/** SDM Vol. 3, 11.8.4: the interrupt request register holds what was accepted and not yet taken. */
function checkInterrupt(context: MachineContext, index: number, vector: number, pending: boolean): void {
  checkVcpu(context, index);
  const lapic = context.state.kvm.vm?.irqchip?.lapics[index];
  if (lapic === undefined) throw new Problem('There is no local APIC to change.');
  const isRequested = ((lapic.irr[vector >> 5] as number) & (1 << (vector & 31))) !== 0;
  if (!pending && !isRequested) throw new Problem(`Vector ${vector} is not requested here: nothing to drop.`);
}

function valueFrom(before: unknown, path: string, json: string): unknown {
  try {
    return fieldFrom(before, json);
  } catch {
    throw new Problem(`${path} is a ${typeof before}, and ${shortly(json)} is not.`);
  }
}

function checkField({ state }: MachineContext, path: string, json: string): void {
  let before: unknown = state;
  for (const key of path.split('.')) before = fieldOf(before, key);
  if (before === undefined) throw new Problem(`The state has no field ${shortly(path)}.`);
  const value = valueFrom(before, path, json);
  if (typeof value !== typeof before) throw new Problem(`${path} is a ${typeof before}, and ${shortly(json)} is not.`);
  if (!isAlike(before, value)) throw new Problem(`${path} has other fields or elements than ${shortly(json)}.`);
}
