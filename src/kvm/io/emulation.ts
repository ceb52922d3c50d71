/** Emulating the instruction at rip: MMIO, string I/O, what hardware leaves to KVM. Linux x86_emulate_instruction. */
import { invariant, unreachable } from '../../base/invariant.ts';
import type { Gpa } from '../../base/units.ts';
import { bigintOf, bytesOf, mmioRead, mmioWrite, numberOf, portRead, portWrite } from './buses.ts';
import type { KvmContext } from '../context.ts';
import { ioeventfdWrite } from './eventfd.ts';
import { exitInternal, exitIo, exitMmio, type Handled, SUBERROR_EMULATION } from './userspace.ts';
import { INTERRUPTION } from '../../x86/controls.ts';
import { EXIT, field, QUALIFICATION } from '../../x86/exit-reasons.ts';
import type { Emulated, MemoryOfGuest, MmioAccess, VmExit } from '../../x86/guest.ts';
import { trapped } from '../vcpu/guest-debug.ts';
import { guestHva, markDirty, slotOf } from '../mmu/guest-memory.ts';
import { handleTdpFault, PFERR_FETCH, PFERR_PRESENT, PFERR_WRITE } from '../mmu/tdp-mmu.ts';
import type { VcpuState } from '../state.ts';
import { PF, queueException } from '../vcpu/exceptions.ts';

/** Steps one instruction may take before it must end or reach user space. */
const STEP_LIMIT = 4096;
/** Bytes of one access to a device. */
const FRAGMENT = 8;
const NO_BYTES = new Uint8Array(0);

/**
 * KVM_FAST_MMIO_BUS: the write is an eventfd's whatever its width. Linux skips the instruction by a length VMX does
 * not promise; here it is emulated and its write signals. A read goes the usual way.
 */
export function emulateFastWrite(kvm: KvmContext, vcpu: VcpuState, gpa: Gpa): Handled {
  const emulated = kvm.guest.emulate(vcpu.index, [], memoryOf(kvm));
  if (emulated.then !== 'done') return act(kvm, vcpu, emulated) ?? continueEmulation(kvm, vcpu);
  ioeventfdWrite(kvm, false, gpa, 0, 0n);
  kvm.raise({ kind: 'kvm_fast_mmio', gpa });
  return finished(kvm, vcpu, 'resume');
}

type StringOut = Extract<Emulated, { then: 'out' }>;

/** Emulate the instruction at rip, or go on with it: its reads so far are at hand. */
export function continueEmulation(kvm: KvmContext, vcpu: VcpuState): Handled {
  const memory = memoryOf(kvm);
  for (let step = 0; step < STEP_LIMIT; step += 1) {
    const handled = act(kvm, vcpu, kvm.guest.emulate(vcpu.index, readsOf(vcpu), memory));
    if (handled !== undefined) return handled;
  }
  invariant(false, 'an emulated instruction ends', { vcpu: vcpu.index });
}

const NO_READS: readonly MmioAccess[] = [];

/** What the instruction has read so far. */
function readsOf({ emulation }: VcpuState): readonly MmioAccess[] {
  if (emulation === undefined || emulation.reads.length === 0) return NO_READS;
  return emulation.reads.map(({ gpa, bytes }) => ({ gpa, bytes: new Uint8Array(bytes) }));
}

/** Memory by the slots; what is written is dirty. */
export const memoryOf =
  (kvm: KvmContext): MemoryOfGuest =>
  (gpa, write) => {
    const hva = guestHva(kvm, gpa, write);
    if (write && hva >= 0) {
      const gfn = Math.floor(gpa / 4096);
      const slot = slotOf(kvm, gfn);
      if (slot !== undefined) markDirty(kvm, slot, gfn);
    }
    return hva;
  };

/** What the emulator came to; undefined: emulate on. */
function act(kvm: KvmContext, vcpu: VcpuState, emulated: Emulated): Handled | undefined {
  switch (emulated.then) {
    case 'done':
      return completeWrites(kvm, vcpu);
    case 'read':
      return continueRead(kvm, vcpu);
    case 'in':
      return stringIn(kvm, emulated.port, emulated.size, emulated.count);
    case 'out':
      return stringOut(kvm, vcpu, emulated);
    case 'exit':
      return emulationExit(kvm, vcpu, emulated.exit);
    case 'failed':
      return exitInternal(kvm, vcpu, SUBERROR_EMULATION, []);
    default:
      return unreachable(emulated);
  }
}

/** The trap after an emulated instruction, when nothing of it is left to user space. */
const finished = (kvm: KvmContext, vcpu: VcpuState, done: Handled): Handled =>
  done === 'resume' ? trapped(kvm, vcpu, kvm.guest.position(vcpu.index).rflags) : done;

/** complete_emulated_mmio of a write: what is left of it, and then its trap, which Linux loses. */
export const completeWrites = (kvm: KvmContext, vcpu: VcpuState): Handled =>
  finished(kvm, vcpu, performWrites(kvm, vcpu));

/** User space has taken an element of OUTS. Its trap follows it, and not the instruction behind it as in Linux. */
export const completeStringOut = (kvm: KvmContext, vcpu: VcpuState): Handled => finished(kvm, vcpu, 'resume');

/** Writes of the finished instruction, one after the other; user space may be needed for some. */
function performWrites(kvm: KvmContext, vcpu: VcpuState): Handled {
  for (;;) {
    const next = vcpu.emulation?.writes[0];
    if (next === undefined) return 'resume';
    const { gpa } = next;
    const bytes = Uint8Array.from(next.bytes.slice(0, FRAGMENT));
    kvm.raise({ kind: 'kvm_mmio', type: 2, len: bytes.length, gpa, val: bigintOf(bytes) });
    if (!mmioWrite(kvm, vcpu, gpa, bytes)) return exitMmio(gpa, bytes, true);
  }
}

/** The access under way, fragment by fragment; user space answers what the kernel does not. */
function continueRead(kvm: KvmContext, vcpu: VcpuState): Handled | undefined {
  for (;;) {
    const reading = vcpu.emulation?.reading;
    if (reading === undefined) return undefined;
    const done = reading.bytes.length;
    const gpa = reading.gpa + done;
    const length = Math.min(FRAGMENT, reading.length - done);
    const bytes = mmioRead(kvm, vcpu, gpa, length);
    if (bytes === undefined) {
      kvm.raise({ kind: 'kvm_mmio', type: 0, len: length, gpa, val: 0n });
      return { ...exitMmio(gpa, NO_BYTES, false), size: length };
    }
    tellRead(kvm, gpa, bytes);
  }
}

function tellRead(kvm: KvmContext, gpa: Gpa, bytes: Uint8Array): void {
  kvm.raise({ kind: 'kvm_mmio', type: 1, len: bytes.length, gpa, val: bigintOf(bytes) });
}

/** complete_emulated_mmio: user space answered a read. */
export function completeRead(kvm: KvmContext, vcpu: VcpuState, data: Uint8Array): Handled {
  const { physAddr, length } = vcpu.run.mmio;
  tellRead(kvm, physAddr, answered(data, length));
  return continueRead(kvm, vcpu) ?? continueEmulation(kvm, vcpu);
}

/** User space may have written less than it was asked for: the rest of the page is zero. */
function answered(data: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(data.subarray(0, length));
  return bytes;
}

function stringIn(kvm: KvmContext, port: number, size: number, count: number): Handled | undefined {
  const first = portRead(kvm, port, size);
  if (first === undefined) return exitIo({ rw: 0, port, size, count }, NO_BYTES, 'string-in');
  const data = new Uint8Array(size * count);
  for (let i = 0; i < count; i += 1) {
    data.set(bytesOf(i === 0 ? first : (portRead(kvm, port, size) ?? 0), size), i * size);
  }
  tellString(kvm, port, size, count, data);
  return undefined;
}

function tellString(kvm: KvmContext, port: number, size: number, count: number, data: Uint8Array): void {
  kvm.raise({ kind: 'kvm_pio', rw: 0, port, size, count, val: numberOf(data, size), data });
}

/** User space answered INS. */
export function completeStringIn(kvm: KvmContext, vcpu: VcpuState, data: Uint8Array): Handled {
  const { port, size, count } = vcpu.run.io;
  tellString(kvm, port, size, count, answered(data, size * count));
  return continueEmulation(kvm, vcpu);
}

function stringOut(kvm: KvmContext, vcpu: VcpuState, { port, size, bytes }: StringOut): Handled {
  const count = bytes.length / size;
  const val = numberOf(bytes, size);
  kvm.raise({ kind: 'kvm_pio', rw: 1, port, size, count, val, data: NO_BYTES });
  if (portWrite(kvm, port, size, val)) return finished(kvm, vcpu, 'resume');
  return exitIo({ rw: 1, port, size, count }, bytes, 'string-out');
}

/** The emulator met an exception, or memory EPT does not map yet. */
function emulationExit(kvm: KvmContext, vcpu: VcpuState, exit: VmExit): Handled | undefined {
  if (exit.reason === EXIT.EPT_VIOLATION) {
    const fault = handleTdpFault(kvm, vcpu, exit.guestPhysicalAddress, violationErrorCode(Number(exit.qualification)));
    return fault === 'emulate' ? exitInternal(kvm, vcpu, SUBERROR_EMULATION, []) : undefined;
  }
  const vector = exit.interruptionInfo & INTERRUPTION.VECTOR;
  const errorCode = (exit.interruptionInfo & INTERRUPTION.ERROR_CODE) !== 0 ? exit.interruptionErrorCode : undefined;
  queueException(kvm, vcpu, { vector, errorCode, payload: vector === PF ? exit.qualification : undefined });
  return 'resume';
}

/** The page-fault error code KVM makes of an EPT violation's qualification. Linux handle_ept_violation. */
export function violationErrorCode(qualification: number): number {
  const { write, fetch, readable, writable, executable } = QUALIFICATION.EPT_VIOLATION;
  let code = 0;
  if (field(qualification, write) !== 0) code |= PFERR_WRITE;
  if (field(qualification, fetch) !== 0) code |= PFERR_FETCH;
  const allowed = field(qualification, readable) | field(qualification, writable) | field(qualification, executable);
  if (allowed !== 0) code |= PFERR_PRESENT;
  return code;
}
