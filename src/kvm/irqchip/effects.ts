import type { MachineEvent } from '../../events/vocabulary.ts';

/** What the interrupt controllers need from KVM around them, and where their consequences go. */
export interface IrqEffects {
  /** Virtual nanoseconds since power-on. */
  now(): number;
  /** TSC as the vCPU reads it (host TSC plus its offset): 2 per nanosecond. */
  guestTsc(vcpu: number): bigint;
  raise(event: MachineEvent): void;
  /** KVM_REQ_EVENT and a kick: the vCPU may have an interrupt to take, wake it if it is halted. */
  kick(vcpu: number): void;
  /** An NMI was accepted for the vCPU. */
  nmi(vcpu: number): void;
  /** INIT was accepted: to be acted on before the vCPU's next entry; cancels an unserved SIPI. */
  init(vcpu: number): void;
  /** A start-up IPI was accepted; it counts only while the vCPU waits for SIPI. */
  sipi(vcpu: number, vector: number): void;
  /** KVM_HC_KICK_CPU reached this vCPU: a HLT it executes or is in ends. */
  unhalt(vcpu: number): void;
  /** A GSI registered with `setAckNotifier` was acknowledged (EOI): resample its line. */
  acked(gsi: number): void;
}
