/** Emulating the instruction at rip: MMIO, string I/O, what hardware leaves to KVM. Linux x86_emulate_instruction. */
import { invariant } from '../base/invariant.ts';
import { bigintOf, mmioRead, mmioWrite, numberOf, portRead, portWrite } from './buses.ts';
import type { KvmContext } from './context.ts';
import { ioeventfdWrite } from './eventfd.ts';
import type { Emulated, MemoryOfGuest, MmioAccess, VmExit } from './guest.ts';
import { singleStepped } from './guest-debug.ts';
import { guestHva, markDirty, slotOf } from './mmu/guest-memory.ts';
import { handleTdpFault, PFERR_FETCH, PFERR_PRESENT, PFERR_WRITE } from './mmu/tdp-mmu.ts';
import type { Handled } from './exits/handled.ts';
import type { VcpuState } from './state.ts';
import { exitInternal, exitIo, exitMmio, SUBERROR_EMULATION, zeroBytes } from './userspace.ts';
import { PF, queueException } from './vcpu/exceptions.ts';

/** Steps one instruction may take before it must end or reach user space. */
const STEP_LIMIT = 4096;
const FRAGMENT = 8;
const TRAP_FLAG = 0x100;

/** Start emulating the instruction at rip. */
export function emulateInstruction(kvm: KvmContext, vcpu: VcpuState): Handled {
  vcpu.emulation.reads = [];
  vcpu.emulation.writes = [];
  return continueEmulation(kvm, vcpu);
}

/**
 * KVM_FAST_MMIO_BUS: the write is an eventfd's whatever its width. Linux skips the instruction by a length VMX does
 * not promise; here it is emulated and its write signals. A read goes the usual way.
 */
export function emulateFastWrite(kvm: KvmContext, vcpu: VcpuState, gpa: number): Handled {
  vcpu.emulation.reads = [];
  vcpu.emulation.writes = [];
  vcpu.at.stale = true;
  const emulated = kvm.guest.emulate(vcpu.index, [], memoryOf(kvm));
  if (emulated.then !== 'done') return act(kvm, vcpu, emulated) ?? continueEmulation(kvm, vcpu);
  ioeventfdWrite(kvm, false, gpa, 0, 0n);
  kvm.host.raise({ kind: 'kvm_fast_mmio', gpa });
  return trapped(kvm, vcpu, 'resume');
}

/** Go on with the instruction under emulation; its reads so far are at hand. */
export function continueEmulation(kvm: KvmContext, vcpu: VcpuState): Handled {
  vcpu.at.stale = true;
  const memory = memoryOf(kvm);
  for (let step = 0; step < STEP_LIMIT; step += 1) {
    const reads: readonly MmioAccess[] = vcpu.emulation.reads.map((r) => ({
      gpa: r.gpa,
      bytes: Uint8Array.from(r.bytes),
    }));
    const handled = act(kvm, vcpu, kvm.guest.emulate(vcpu.index, reads, memory));
    if (handled !== undefined) return handled;
  }
  invariant(false, 'an emulated instruction ends', { vcpu: vcpu.index });
}

/** Memory by the slots; what is written is dirty. */
export const memoryOf =
  (kvm: KvmContext): MemoryOfGuest =>
  (gpa, write) => {
    const hva = guestHva(kvm, gpa, write);
    if (write && hva >= 0) {
      const gfn = Math.floor(gpa / 4096);
      const slot = slotOf(kvm, gfn);
      if (slot?.dirty !== undefined) markDirty(slot, gfn);
    }
    return hva;
  };

/** What the emulator came to; undefined: emulate on. */
function act(kvm: KvmContext, vcpu: VcpuState, emulated: Emulated): Handled | undefined {
  switch (emulated.then) {
    case 'done':
      vcpu.emulation.reads = [];
      vcpu.emulation.writes = emulated.writes.map((w) => ({ gpa: w.gpa, bytes: [...w.bytes] }));
      return trapped(kvm, vcpu, performWrites(kvm, vcpu));
    case 'read':
      return performRead(kvm, vcpu, emulated.gpa, emulated.length);
    case 'in':
      return stringIn(kvm, vcpu, emulated.port, emulated.size, emulated.count);
    case 'out':
      return stringOut(kvm, vcpu, emulated.port, emulated.size, emulated.bytes);
    case 'exit':
      return emulationExit(kvm, vcpu, emulated.exit);
    default:
      exitInternal(vcpu, SUBERROR_EMULATION, []);
      return 'userspace';
  }
}

/** The trap after an emulated instruction. As in Linux, a write that user space must perform loses it. */
const trapped = (kvm: KvmContext, vcpu: VcpuState, done: Handled): Handled =>
  done === 'resume' && (vcpu.at.rflags & TRAP_FLAG) !== 0 ? singleStepped(kvm, vcpu) : done;

/** Writes of the finished instruction, one after the other; user space may be needed for some. */
export function performWrites(kvm: KvmContext, vcpu: VcpuState): Handled {
  const { writes } = vcpu.emulation;
  while (writes.length > 0) {
    const { gpa, bytes } = writes.shift()!;
    if (bytes.length > FRAGMENT) writes.unshift({ gpa: gpa + FRAGMENT, bytes: bytes.splice(FRAGMENT) });
    kvm.host.raise({ kind: 'kvm_mmio', type: 2, len: bytes.length, gpa, val: bigintOf(bytes) });
    if (mmioWrite(kvm, vcpu, gpa, bytes)) continue;
    exitMmio(vcpu, gpa, [...bytes], true);
    vcpu.pending = { kind: 'mmio-write' };
    return 'userspace';
  }
  return 'resume';
}

function performRead(kvm: KvmContext, vcpu: VcpuState, gpa: number, length: number): Handled | undefined {
  const bytes = mmioRead(kvm, vcpu, gpa, length);
  if (bytes !== undefined) {
    kvm.host.raise({ kind: 'kvm_mmio', type: 1, len: length, gpa, val: bigintOf(bytes) });
    vcpu.emulation.reads.push({ gpa, bytes: [...bytes] });
    return undefined;
  }
  return requestRead(kvm, vcpu, { kind: 'mmio-read', gpa, length, done: 0, bytes: [] });
}

interface MmioReadRequest {
  kind: 'mmio-read';
  gpa: number;
  length: number;
  done: number;
  bytes: number[];
}

/** Ask user space for the next fragment of a read. */
function requestRead(kvm: KvmContext, vcpu: VcpuState, read: MmioReadRequest): Handled {
  const length = Math.min(FRAGMENT, read.length - read.done);
  kvm.host.raise({ kind: 'kvm_mmio', type: 0, len: length, gpa: read.gpa + read.done, val: 0n });
  exitMmio(vcpu, read.gpa + read.done, zeroBytes(length), false);
  vcpu.pending = read;
  return 'userspace';
}

/** complete_emulated_mmio: user space answered a read. */
export function completeRead(kvm: KvmContext, vcpu: VcpuState, read: MmioReadRequest): Handled {
  const { data, physAddr } = vcpu.run.mmio;
  kvm.host.raise({ kind: 'kvm_mmio', type: 1, len: data.length, gpa: physAddr, val: bigintOf(data) });
  const bytes = [...read.bytes, ...data];
  if (bytes.length < read.length) return requestRead(kvm, vcpu, { ...read, done: bytes.length, bytes });
  vcpu.emulation.reads.push({ gpa: read.gpa, bytes });
  return continueEmulation(kvm, vcpu);
}

function stringIn(kvm: KvmContext, vcpu: VcpuState, port: number, size: number, count: number): Handled | undefined {
  const first = portRead(kvm, port, size);
  if (first === undefined) {
    exitIo(vcpu, 0, port, size, count, zeroBytes(size * count));
    vcpu.pending = { kind: 'string-in', port, size, count };
    return 'userspace';
  }
  const bytes: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const value = i === 0 ? first : (portRead(kvm, port, size) ?? 0);
    for (let b = 0; b < size; b += 1) bytes.push((value >>> (8 * b)) & 0xff);
  }
  gotString(kvm, vcpu, port, size, count, bytes);
  return undefined;
}

function gotString(
  kvm: KvmContext,
  vcpu: VcpuState,
  port: number,
  size: number,
  count: number,
  bytes: readonly number[],
): void {
  kvm.host.raise({ kind: 'kvm_pio', rw: 0, port, size, count, val: numberOf(bytes.slice(0, size)) });
  vcpu.emulation.reads.push({ gpa: port, bytes: [...bytes] });
}

/** User space answered INS. */
export function completeStringIn(kvm: KvmContext, vcpu: VcpuState, port: number, size: number, count: number): Handled {
  gotString(kvm, vcpu, port, size, count, [...vcpu.run.io.data]);
  return continueEmulation(kvm, vcpu);
}

function stringOut(kvm: KvmContext, vcpu: VcpuState, port: number, size: number, bytes: Uint8Array): Handled {
  vcpu.emulation.reads = [];
  const count = bytes.length / size;
  kvm.host.raise({ kind: 'kvm_pio', rw: 1, port, size, count, val: numberOf(bytes.subarray(0, size)) });
  if (portWrite(kvm, port, size, numberOf(bytes.subarray(0, size)))) return 'resume';
  exitIo(vcpu, 1, port, size, count, [...bytes]);
  vcpu.pending = { kind: 'string-out' };
  return 'userspace';
}

/** The emulator met an exception, or memory EPT does not map yet. */
function emulationExit(kvm: KvmContext, vcpu: VcpuState, exit: VmExit): Handled | undefined {
  if (exit.reason === 48) {
    const fault = handleTdpFault(kvm, vcpu, exit.guestPhysicalAddress, violationErrorCode(Number(exit.qualification)));
    if (fault !== 'emulate') return undefined;
    exitInternal(vcpu, SUBERROR_EMULATION, []);
    return 'userspace';
  }
  vcpu.emulation.reads = [];
  const vector = exit.interruptionInfo & 0xff;
  const errorCode = (exit.interruptionInfo & 0x800) !== 0 ? exit.interruptionErrorCode : undefined;
  queueException(vcpu, { vector, errorCode, payload: vector === PF ? exit.qualification : undefined });
  return 'resume';
}

/** The page-fault error code KVM makes of an EPT violation's qualification. Linux handle_ept_violation. */
export function violationErrorCode(qualification: number): number {
  let code = 0;
  if ((qualification & 2) !== 0) code |= PFERR_WRITE;
  if ((qualification & 4) !== 0) code |= PFERR_FETCH;
  if ((qualification & 0x38) !== 0) code |= PFERR_PRESENT;
  return code;
}
