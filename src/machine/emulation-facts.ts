import { unreachable } from '../base/invariant.ts';
import type { MachineEvent } from '../events/vocabulary.ts';
import type { Position } from '../kvm/processor.ts';
import type { Emulated, VmExit } from '../x86/guest.ts';
import { packWrites } from '../kvm/io/packed-writes.ts';

const NO_BYTES = new Uint8Array(0);

/** What emulating an instruction came to, and where the guest stands then. */
export function emulatedFact(vcpu: number, emulated: Emulated, position: Position): MachineEvent {
  const { rip, rflags, interruptibility } = position;
  const breakpoints = 'breakpoints' in emulated ? emulated.breakpoints : 0;
  const { then } = emulated;
  const fact = { kind: 'sim:emulated', vcpu_id: vcpu, then, rip, rflags, interruptibility, breakpoints } as const;
  switch (emulated.then) {
    case 'done':
      return { ...fact, at: 0, size: 0, count: 0, bytes: packWrites(emulated.writes) };
    case 'read':
      return { ...fact, at: emulated.gpa, size: emulated.length, count: 0, bytes: NO_BYTES };
    case 'in':
      return { ...fact, at: emulated.port, size: emulated.size, count: emulated.count, bytes: NO_BYTES };
    case 'out':
      return { ...fact, at: emulated.port, size: emulated.size, count: 0, bytes: emulated.bytes };
    case 'exit':
    case 'failed':
      return { ...fact, at: 0, size: 0, count: 0, bytes: NO_BYTES };
    default:
      return unreachable(emulated);
  }
}

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
