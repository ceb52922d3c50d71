/** What facts do to a vCPU: entries and exits, what it waits for, what it is to receive. */
import type { Draft } from '../../base/draft.ts';
import { putAt } from '../../base/places.ts';
import type { Seq } from '../../base/units.ts';
import { NONE } from '../../events/origin.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { REQ_CLOCK_UPDATE, REQ_EVENT, REQ_STEAL_UPDATE, REQ_TLB_FLUSH, REQ_TRIPLE_FAULT } from '../context.ts';
import { OWN_DR7 } from '../vcpu/guest-debug.ts';
import { unpackCpuid } from '../ioctl/structs.ts';
import type { KvmState, VcpuState } from '../state.ts';
import { type ControlField, FIELD_OF } from '../vmcs/fields.ts';
import { INTERRUPTION } from '../../x86/controls.ts';
import { EXIT, OPERANDS } from '../../x86/exit-reasons.ts';
import { MP_HALTED, MP_INIT_RECEIVED, MP_RUNNABLE } from '../vcpu/start.ts';
import * as lapic from './lapic.ts';
import * as pic from './pic.ts';
import { makeRequest } from './requests.ts';

type Kvm = Draft<KvmState>;
type Vcpu = Draft<VcpuState>;
type OfVcpu = { readonly vcpu_id: number };

const vcpuOf = (kvm: Kvm, { vcpu_id: index }: OfVcpu): Vcpu => kvm.vcpus[index]!;

/** kvm_entry. */
export function entered(kvm: Kvm, event: EventOf<'kvm_entry'>, { seq, tick }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  vcpu.inGuest = true;
  vcpu.entry = { seq, tick, injects: event.intr_info >= INTERRUPTION.VALID };
  vcpu.checkEntry = false;
}

/** sim:vmentry_check: the entry did not take place. */
export function entryFailed(kvm: Kvm, event: EventOf<'sim:vmentry_check'>): void {
  vcpuOf(kvm, event).inGuest = false;
}

/** kvm_exit. */
export function left(kvm: Kvm, event: EventOf<'kvm_exit'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  vcpu.inGuest = false;
  vcpu.exits += 1;
  // Of an I/O instruction the processor tells which breakpoints its ports meet.
  const breakpoints =
    event.exit_reason === EXIT.IO_INSTRUCTION ? Number(event[OPERANDS.IO_INSTRUCTION.breakpoints]) : 0;
  vcpu.exit = { seq, instructionLength: event.insn_len, operand: event.a0, breakpoints };
  if (vcpu.emulation !== undefined) vcpu.emulation = undefined;
  if (leavesInterrupts(vcpu, event)) completeInterrupts(vcpu, event, seq);
}

/** Whether a delivery is to be completed. What stays injected comes with the next entry: without it there is none. */
export const leavesInterrupts = ({ entry }: VcpuState, { info2 }: EventOf<'kvm_exit'>): boolean =>
  entry.injects || info2 >= INTERRUPTION.VALID;

/**
 * vmx_complete_interrupts: an event whose delivery an exit interrupted is queued again.
 * SDM Vol. 3, 25.9.3: IDT-vectoring information.
 */
function completeInterrupts(vcpu: Vcpu, event: EventOf<'kvm_exit'>, seq: Seq): void {
  const { exception, nmi, interrupt } = vcpu.events;
  nmi.injected = false;
  exception.injected = false;
  interrupt.injected = false;
  const info = event.info2;
  if (info < INTERRUPTION.VALID) return;
  makeRequest(vcpu, REQ_EVENT, seq);
  vcpu.events.instructionLength = event.insn_len;
  switch (info & INTERRUPTION.TYPE) {
    case INTERRUPTION.NMI:
      nmi.injected = true;
      return;
    case INTERRUPTION.HARDWARE_EXCEPTION:
    case INTERRUPTION.SOFTWARE_EXCEPTION:
    case INTERRUPTION.PRIVILEGED_EXCEPTION:
      requeue(exception, info, event.idt_error_code, seq);
      return;
    case INTERRUPTION.EXTERNAL:
    case INTERRUPTION.SOFTWARE_INTERRUPT: {
      const soft = (info & INTERRUPTION.TYPE) === INTERRUPTION.SOFTWARE_INTERRUPT;
      // One the guest itself made has no earlier injection.
      if (soft || interrupt.vector !== (info & INTERRUPTION.VECTOR)) interrupt.cause = seq;
      interrupt.injected = true;
      interrupt.vector = info & INTERRUPTION.VECTOR;
      interrupt.soft = soft;
      return;
    }
    default:
  }
}

function requeue(exception: Vcpu['events']['exception'], info: number, errorCode: number, seq: Seq): void {
  if (exception.vector !== (info & INTERRUPTION.VECTOR)) exception.cause = seq;
  exception.injected = true;
  exception.pending = false;
  exception.vector = info & INTERRUPTION.VECTOR;
  exception.hasError = (info & INTERRUPTION.ERROR_CODE) !== 0;
  exception.errorCode = errorCode;
}

/** sim:exception_queued. */
export function exceptionQueued(kvm: Kvm, event: EventOf<'sim:exception_queued'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  const queued = vcpu.events.exception;
  queued.pending = true;
  queued.injected = false;
  queued.vector = event.vector;
  queued.hasError = event.has_error;
  queued.errorCode = event.error_code;
  queued.payload = event.has_payload ? event.payload : undefined;
  queued.cause = seq;
  makeRequest(vcpu, REQ_EVENT, seq);
}

/** kvm_inj_exception: what is injected again points to this. */
export function exceptionInjected(kvm: Kvm, index: number, seq: Seq): void {
  const { exception } = kvm.vcpus[index]!.events;
  exception.pending = false;
  exception.injected = true;
  exception.payload = undefined;
  exception.cause = seq;
}

/** kvm_inj_virq: what is injected again points to this. */
export function interruptInjected(kvm: Kvm, index: number, seq: Seq): void {
  kvm.vcpus[index]!.events.interrupt.cause = seq;
}

/** sim:triple_fault. */
export function tripleFaulted(kvm: Kvm, event: EventOf<'sim:triple_fault'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  vcpu.events.exception.pending = false;
  vcpu.events.exception.injected = false;
  makeRequest(vcpu, REQ_EVENT | REQ_TRIPLE_FAULT, seq);
}

/** sim:delivery_ended. */
export function deliveryEnded(kvm: Kvm, event: EventOf<'sim:delivery_ended'>): void {
  const { exception, interrupt, nmi } = vcpuOf(kvm, event).events;
  exception.injected = false;
  interrupt.injected = false;
  nmi.injected = false;
}

/** sim:nmi_pending. One that waits already keeps its first cause. */
export function nmiPending(kvm: Kvm, event: EventOf<'sim:nmi_pending'>, { seq, cause }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  const { nmi } = vcpu.events;
  if (nmi.pending === 0) nmi.cause = cause ?? seq;
  nmi.pending = event.pending;
  makeRequest(vcpu, REQ_EVENT, cause ?? seq);
}

/** sim:inj_nmi. */
export function nmiInjected(kvm: Kvm, event: EventOf<'sim:inj_nmi'>, { seq }: Stamped): void {
  const { nmi } = vcpuOf(kvm, event).events;
  nmi.pending -= 1;
  nmi.injected = true;
  nmi.cause = seq;
}

/** sim:intack: the vector is the vCPU's to receive, with what had requested it. */
export function interruptTaken(kvm: Kvm, event: EventOf<'sim:intack'>, { seq }: Stamped): void {
  const cause = event.irqchip === 0 ? takeFromPic(kvm, seq) : lapic.takenIntoService(kvm, event.vcpu_id, event.vector);
  const { interrupt } = vcpuOf(kvm, event).events;
  interrupt.injected = true;
  interrupt.vector = event.vector;
  interrupt.soft = false;
  interrupt.cause = cause === NONE ? seq : cause;
}

function takeFromPic(kvm: Kvm, seq: Seq): number {
  const cause = pic.causeOfNext(kvm);
  pic.taken(kvm, seq);
  return cause;
}

/** sim:mp_state. A vCPU that runs again has used what ended its halt. */
export function stateSet(kvm: Kvm, event: EventOf<'sim:mp_state'>): void {
  const vcpu = vcpuOf(kvm, event);
  if (vcpu.mpState === MP_HALTED && event.mp_state === MP_RUNNABLE) vcpu.events.unhalted = false;
  vcpu.mpState = event.mp_state;
}

/** sim:vcpu_blocked. */
export function blocked(kvm: Kvm, event: EventOf<'sim:vcpu_blocked'>): void {
  vcpuOf(kvm, event).blockedAt = event.ns;
}

/** kvm_vcpu_wakeup. */
export function woken(kvm: Kvm, event: EventOf<'kvm_vcpu_wakeup'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  vcpu.blockedAt = -1;
  vcpu.waitingSince = -1;
  makeRequest(vcpu, REQ_STEAL_UPDATE, seq);
}

/** sim:thread_switch: who loses the turn waits for it from now on. */
export function turnLost(kvm: Kvm, { from, to, ns }: EventOf<'sim:thread_switch'>): void {
  const vcpu = kvm.vcpus[from];
  if (from !== to && vcpu !== undefined && vcpu.entry.seq >= 0) vcpu.waitingSince = ns;
}

/** sim:stolen. */
export function stolen(kvm: Kvm, event: EventOf<'sim:stolen'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  vcpu.waitingSince = -1;
  if (event.ns === 0) return;
  vcpu.pv.stealNs += event.ns;
  makeRequest(vcpu, REQ_STEAL_UPDATE, seq);
}

/** sim:init. */
export function initialized(kvm: Kvm, event: EventOf<'sim:init'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  const { events } = vcpu;
  if (kvm.vm!.irqchip !== undefined) lapic.reset(kvm, event.vcpu_id, true);
  events.initPending = false;
  events.exception.pending = false;
  events.exception.injected = false;
  events.interrupt.injected = false;
  events.nmi.pending = 0;
  events.nmi.injected = false;
  vcpu.mpState = event.mp_state;
  makeRequest(vcpu, REQ_EVENT, seq);
}

/** sim:sipi. */
export function started(kvm: Kvm, event: EventOf<'sim:sipi'>): void {
  const vcpu = vcpuOf(kvm, event);
  vcpu.events.sipiPending = false;
  if (event.starts) vcpu.mpState = MP_RUNNABLE;
}

/** The VMCS a fact names. */
const vmcsNamed = ({ vmcs01 }: Vcpu, name: string): Vcpu['vmcs01'] | undefined =>
  name === vmcs01.name ? vmcs01 : undefined;

/** sim:vmcs_write. */
export function fieldWritten(kvm: Kvm, event: EventOf<'sim:vmcs_write'>): void {
  const vmcs = vmcsNamed(vcpuOf(kvm, event), event.vmcs);
  const field = FIELD_OF[event.enc];
  if (vmcs === undefined || field === undefined) return;
  const fields: Record<ControlField, number | bigint> = vmcs;
  fields[field] = typeof vmcs[field] === 'bigint' ? event.value : Number(event.value);
}

/** sim:pv_eoi. */
export function eoiOffered(kvm: Kvm, event: EventOf<'sim:pv_eoi'>): void {
  vcpuOf(kvm, event).pv.eoiPending = event.offered;
}

/** kvm_pvclock_update. */
export function clockUpdated(kvm: Kvm, event: EventOf<'kvm_pvclock_update'>): void {
  const { pv } = vcpuOf(kvm, event);
  pv.clockVersion = event.version;
  pv.guestStoppedRequest = false;
}

/** KVM_KVMCLOCK_CTRL. */
export function stoppedTold(kvm: Kvm, event: EventOf<'ioctl:KVM_KVMCLOCK_CTRL'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  vcpu.pv.guestStoppedRequest = true;
  makeRequest(vcpu, REQ_CLOCK_UPDATE, seq);
}

/** kvm_write_tsc_offset. */
export function tscMoved(kvm: Kvm, event: EventOf<'kvm_write_tsc_offset'>): void {
  vcpuOf(kvm, event).tsc.offset = event.next_tsc_offset;
}

/** sim:tsc_adjust. */
export function tscAdjusted(kvm: Kvm, event: EventOf<'sim:tsc_adjust'>): void {
  vcpuOf(kvm, event).tsc.adjust = event.value;
}

/** sim:xcr0, KVM_SET_XCRS. */
export function xcr0Set(kvm: Kvm, index: number, value: bigint): void {
  kvm.vcpus[index]!.xcr0 = value;
}

/** KVM_SET_REGS: entry is checked, and what waited to be delivered is not any more. */
export function registersSet(kvm: Kvm, event: EventOf<'ioctl:KVM_SET_REGS'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  vcpu.events.exception.pending = false;
  vcpu.checkEntry = true;
  makeRequest(vcpu, REQ_EVENT, seq);
}

/** KVM_SET_SREGS2: control registers and the task priority come as facts of their own where there is a controller. */
export function systemRegistersSet(kvm: Kvm, event: EventOf<'ioctl:KVM_SET_SREGS2'>, { seq }: Stamped): void {
  const CR8 = 256;
  const vcpu = vcpuOf(kvm, event);
  const view = new DataView(event.sregs.buffer, event.sregs.byteOffset, event.sregs.byteLength);
  if (kvm.vm!.irqchip === undefined) vcpu.run.cr8 = Number(view.getBigUint64(CR8, true));
  vcpu.checkEntry = true;
  makeRequest(vcpu, REQ_EVENT | REQ_TLB_FLUSH, seq);
}

/** KVM_SET_CPUID2. */
export function cpuidSet(kvm: Kvm, event: EventOf<'ioctl:KVM_SET_CPUID2'>): void {
  vcpuOf(kvm, event).cpuid = unpackCpuid(event.entries);
  const { x2apic, tsc_deadline: tscDeadline, physical_bits: physicalBits } = event;
  lapic.featuresSet(kvm, event.vcpu_id, { x2apic, tscDeadline, physicalBits });
}

/** KVM_SET_MP_STATE: KVM_MP_STATE_SIPI_RECEIVED is a start-up that waits. */
export function stateRestored(kvm: Kvm, event: EventOf<'ioctl:KVM_SET_MP_STATE'>, { seq }: Stamped): void {
  const SIPI_RECEIVED = 4;
  const vcpu = vcpuOf(kvm, event);
  const isSipi = event.mp_state === SIPI_RECEIVED;
  vcpu.mpState = isSipi ? MP_INIT_RECEIVED : event.mp_state;
  if (isSipi) vcpu.events.sipiPending = true;
  vcpu.blockedAt = -1;
  makeRequest(vcpu, REQ_EVENT, seq);
}

/** KVM_INTERRUPT. */
export function interruptQueued(kvm: Kvm, event: EventOf<'ioctl:KVM_INTERRUPT'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  Object.assign(vcpu.events.interrupt, { injected: true, vector: event.irq, soft: false, cause: seq });
  makeRequest(vcpu, REQ_EVENT, seq);
}

const VALID_NMI_PENDING = 1;
const VALID_SIPI_VECTOR = 2;
const VALID_TRIPLE_FAULT = 32;

/** KVM_SET_VCPU_EVENTS. */
export function eventsSet(kvm: Kvm, event: EventOf<'ioctl:KVM_SET_VCPU_EVENTS'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  const { exception, interrupt, nmi } = vcpu.events;
  Object.assign(exception, {
    injected: event.exception_injected,
    pending: event.exception_pending,
    vector: event.exception_nr,
    hasError: event.has_error_code,
    errorCode: event.error_code,
    payload: event.has_payload ? event.payload : undefined,
    cause: seq,
  });
  const { interrupt_injected: injected, interrupt_nr: vector, interrupt_soft: soft } = event;
  Object.assign(interrupt, { injected, vector, soft, cause: seq });
  nmi.injected = event.nmi_injected;
  nmi.cause = seq;
  if ((event.flags & VALID_NMI_PENDING) !== 0) nmi.pending = event.nmi_pending ? 1 : 0;
  if ((event.flags & VALID_SIPI_VECTOR) !== 0) vcpu.events.sipiVector = event.sipi_vector;
  const tripleFault = (event.flags & VALID_TRIPLE_FAULT) !== 0 && event.triple_fault ? REQ_TRIPLE_FAULT : 0;
  makeRequest(vcpu, REQ_EVENT | tripleFault, seq);
}

const words = (bytes: Uint8Array): bigint[] => [...new BigUint64Array(bytes.slice().buffer)];

/** KVM_SET_GUEST_DEBUG. */
export function debugSet(kvm: Kvm, event: EventOf<'ioctl:KVM_SET_GUEST_DEBUG'>, { seq }: Stamped): void {
  const vcpu = vcpuOf(kvm, event);
  const { control, single_step_rip: singleStepRip, own } = event;
  vcpu.guestDebug = { control, singleStepRip, own: own.length === 0 ? undefined : words(own) };
  makeRequest(vcpu, REQ_EVENT, seq);
}

/** sim:guest_dr: one of the registers kept aside. */
export function ownRegisterSet(kvm: Kvm, event: EventOf<'sim:guest_dr'>): void {
  const { own } = vcpuOf(kvm, event).guestDebug;
  if (own !== undefined) putAt(own, event.dr === 7 ? OWN_DR7 : event.dr, event.value);
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** KVM_X86_SETUP_MCE. */
export function mceSet(kvm: Kvm, { vcpu_id: index, mcg_cap: cap }: EventOf<'ioctl:KVM_X86_SETUP_MCE'>): void {
  const MCG_CTL_P = 0x100n;
  const { msrs } = kvm.vcpus[index]!;
  msrs.mcgCap = cap;
  if ((cap & MCG_CTL_P) !== 0n) msrs.mcgCtl = ALL_ONES;
  for (let bank = 0; bank < Number(cap & 0xffn); bank += 1) msrs.mcBanks[bank * 4] = ALL_ONES;
}
