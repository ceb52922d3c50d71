import { unreachable } from '../base/invariant.ts';
import type { MachineEvent } from '../events/vocabulary.ts';
import type { Position } from '../kvm/processor.ts';
import type { Emulated, VmExit } from '../x86/guest.ts';
import { packWrites } from '../kvm/io/packed-writes.ts';

const NO_BYTES = new Uint8Array(0);

/** What emulating an instruction came to, and where the guest stands then. */
export function emulatedFact(vcpu: number, emulated: Emulated, position: Position): MachineEvent {
  const { then } = emulated;
  switch (then) {
    case 'done':
      return fact(vcpu, then, position, 0, 0, 0, packWrites(emulated.writes), emulated.breakpoints);
    case 'read':
      return fact(vcpu, then, position, emulated.gpa, emulated.length, 0, NO_BYTES, 0);
    case 'in':
      return fact(vcpu, then, position, emulated.port, emulated.size, emulated.count, NO_BYTES, 0);
    case 'out':
      return fact(vcpu, then, position, emulated.port, emulated.size, 0, emulated.bytes, emulated.breakpoints);
    case 'exit':
    case 'failed':
      return fact(vcpu, then, position, 0, 0, 0, NO_BYTES, 0);
    default:
      return unreachable(emulated);
  }
}

/** In one piece: there is one for each access, and to spread one object into another takes V8 microseconds. */
const fact = (
  vcpu: number,
  then: Emulated['then'],
  { rip, rflags, interruptibility }: Position,
  at: number,
  size: number,
  count: number,
  bytes: Uint8Array,
  breakpoints: number,
): MachineEvent => ({
  kind: 'sim:emulated',
  vcpu_id: vcpu,
  then,
  at,
  size,
  count,
  bytes,
  rip,
  rflags,
  interruptibility,
  breakpoints,
});

/** The exit it ended in. */
export const emulationExitFact = (vcpu: number, exit: VmExit): MachineEvent => ({
  kind: 'sim:emulation_exited',
  vcpu_id: vcpu,
  exit_reason: exit.reason,
  info1: exit.qualification,
  insn_len: exit.instructionLength,
  insn_info: exit.instructionInfo,
  intr_info: exit.interruptionInfo,
  error_code: exit.interruptionErrorCode,
  info2: exit.idtVectoringInfo,
  idt_error_code: exit.idtVectoringErrorCode,
  gla: exit.guestLinearAddress,
  gpa: exit.guestPhysicalAddress,
});
