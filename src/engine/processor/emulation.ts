import { EXIT } from '../../x86/exit-reasons.ts';
import type { Emulated, MmioAccess } from '../../x86/guest.ts';
import { advanceString, portAccess, stringAddress } from '../assists/io.ts';
import { decodeInstruction } from '../code/instruction.ts';
import { type GuestEvent, interruptionInfo } from '../core/event.ts';
import { GuestExit, GuestFault, hasErrorCode, MmioNeeded, vmExit } from '../core/fault.ts';
import { hasBreakpoints } from '../state/io-breakpoints.ts';
import * as L from '../state/layout.ts';
import type { Core, Peeking, RegisterFile } from '../core/core.ts';
import type { Processor } from './processor.ts';
import { MMIO_NEEDED } from '../core/stop.ts';
import { RFLAGS } from '../../x86/registers.ts';
import { VECTOR } from '../../x86/exceptions.ts';

/** What KVM's emulator can go on from. */
const FOR_THE_EMULATOR: readonly number[] = [EXIT.EXCEPTION_NMI, EXIT.EPT_VIOLATION, EXIT.EPT_MISCONFIG];

/** Run the instruction at rip with memory as KVM's slots have it. */
export function emulateOne(processor: Processor): Emulated {
  processor.clock.executed = 0;
  const exit = processor.emulateOne();
  if (exit?.reason === MMIO_NEEDED) return { then: 'read', ...processor.needed };
  if (exit !== undefined && processor.clock.executed === 0) {
    return FOR_THE_EMULATOR.includes(exit.reason) ? { then: 'exit', exit } : { then: 'failed' };
  }
  return { then: 'done', writes: processor.mmu.mmioWrites, breakpoints: processor.emulatedHits };
}

/** INS and OUTS: KVM moves the data, the processor the registers. Undefined: the instruction is another. */
export function emulateStringPort(processor: Processor, reads: readonly MmioAccess[]): Emulated | undefined {
  const { state } = processor;
  const held = processor.memory.read32(L.PENDING_DEBUG);
  try {
    const linear = (state.rip + processor.memory.read64(L.CODE_BASE)) & processor.memory.read64(L.LINEAR_MASK);
    const bytes = fetch(processor, linear);
    if (bytes === undefined || !mayBeStringPort(bytes)) return undefined;
    const d = decodeInstruction(bytes, state.codeBits, 0n);
    if (typeof d === 'string' || !/^(ins|outs)[bwd]$/.test(d.mnemonic)) return undefined;
    if (d.operands.every((o) => o.kind !== 'string')) return undefined;
    const access = portAccess(processor, d);
    const address = stringAddress(processor, d, access);
    if (!access.input) {
      const data = processor.readBytes(address, access.size);
      advanceString(processor, d, access, 1);
      finishString(processor, d.length, access.repeated, d.addressSize);
      const breakpoints = processor.debug.takeHits();
      return { then: 'out', port: access.port, size: access.size, bytes: data, breakpoints };
    }
    const wanted = access.repeated ? state.counter(d.addressSize) : 1n;
    const count = stringRoom(processor, address, access.size, wanted);
    const data = reads[0]?.bytes;
    if (data === undefined) return { then: 'in', port: access.port, size: access.size, count };
    const elements = data.length / access.size;
    for (let at = 0; at < data.length; at += access.size) {
      processor.writeBytes(address + BigInt(at), data.subarray(at, at + access.size));
    }
    advanceString(processor, d, access, elements);
    finishString(processor, d.length, access.repeated, d.addressSize);
    return { then: 'done', writes: processor.mmu.mmioWrites, breakpoints: processor.debug.takeHits() };
  } catch (thrown) {
    processor.memory.write32(L.PENDING_DEBUG, held);
    return emulatedProblem(processor, thrown);
  }
}

function emulatedProblem(processor: Processor, thrown: unknown): Emulated {
  if (thrown instanceof GuestExit) return { then: 'exit', exit: thrown.exit };
  if (thrown instanceof MmioNeeded) return { then: 'read', gpa: thrown.gpa, length: thrown.length };
  if (!(thrown instanceof GuestFault)) throw thrown;
  const error = hasErrorCode(thrown.vector) ? { error: thrown.error } : {};
  const event: GuestEvent = { type: 'exception', vector: thrown.vector, length: 0, ...error };
  const qualification = thrown.vector === VECTOR.PF ? processor.events.faultAddress : 0n;
  const exit = vmExit({
    reason: EXIT.EXCEPTION_NMI,
    qualification,
    interruptionInfo: interruptionInfo(event),
    interruptionErrorCode: thrown.error,
  });
  return { then: 'exit', exit };
}

/** Elements an INS may take at once: one where it may trap after it. */
function stringRoom(processor: RegisterFile, address: bigint, size: number, wanted: bigint): number {
  const { memory } = processor;
  if ((memory.read32(L.FLAGS_REST) & (RFLAGS.DF | RFLAGS.TF)) !== 0 || hasBreakpoints(memory)) return 1;
  const room = Math.max(1, Math.floor((4096 - Number(address & 0xfffn)) / size));
  return wanted < BigInt(room) ? Number(wanted) : room;
}

function finishString(processor: Core, length: number, repeated: boolean, addressSize: number): void {
  if (repeated && processor.state.counter(addressSize) !== 0n) return;
  processor.state.advanceRip(length);
  processor.endShadow();
}

/** Up to 15 instruction bytes at a linear address, as far as they are mapped. */
function fetch(processor: Peeking, linear: bigint): Uint8Array | undefined {
  const first = peekHost(processor, linear);
  if (first === undefined) return undefined;
  const inPage = Math.min(15, 4096 - (first % 4096));
  const bytes = processor.memory.u8.slice(L.HOST_MEMORY + first, L.HOST_MEMORY + first + 15);
  if (inPage === 15) return bytes;
  const second = peekHost(processor, linear + BigInt(inPage));
  if (second === undefined) return bytes.slice(0, inPage);
  bytes.set(processor.memory.u8.subarray(L.HOST_MEMORY + second, L.HOST_MEMORY + second + 15 - inPage), inPage);
  return bytes;
}

/** Host-virtual address behind a linear one, without side effects. */
function peekHost(processor: Peeking, linear: bigint): number | undefined {
  const found = processor.mmu.peek(Number(BigInt.asIntN(32, linear)), Number(BigInt.asIntN(32, linear >> 32n)));
  return found === undefined || found.host < 0 ? undefined : found.host + (found.gpa % 4096);
}

/** Whether an opcode 6C..6F (INS, OUTS) follows at most four prefixes. */
function mayBeStringPort(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 5).some((byte) => byte >= 0x6c && byte <= 0x6f);
}
